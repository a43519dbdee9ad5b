// A PEFT adapter merged into a model while the model is loaded: parameters read
// as W' (checkpoints/peft_adapter.h), summed in double and rounded once.
//
// Errors: CallerError naming the adapter's file and the module, for whatever
// does not fit the model.
// Thread safety: the rows that change() returns may be read by several threads;
// everything else belongs to one.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "moft/checkpoints/peft_adapter.h"
#include "moft/models/model_builder.h"

namespace moft {

// The modules of a model that adapters may change.
std::vector<AdaptableModule> adaptable_modules(const Steerable& model);

// CallerError when a tensor of the update does not fit W [out, in] (of an
// embedding table: [rows, columns]).
void check_update_shape(
    const PeftAdapter& adapter,
    const std::string& module,
    const std::vector<std::int64_t>& shape);

class MergedAdapter {
 public:
  explicit MergedAdapter(const std::filesystem::path& directory);

  // The rows of a parameter of this name and shape with the adapter's part,
  // where it has one.
  kernels::RowSource change(
      const std::string& name,
      const std::vector<std::int64_t>& shape,
      kernels::RowSource rows);
  // Once the model is built: CallerError when a part of the adapter found no
  // parameter, or one that is not its own.
  void check_used(const Steerable& model) const;

  std::vector<std::filesystem::path> files() const { return adapter_->files(); }

 private:
  std::shared_ptr<const PeftAdapter> adapter_;
  std::set<std::string> used_;  // names of parameters
};

}  // namespace moft
