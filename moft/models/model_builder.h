// Makes the parameters and linear maps of a model while it is constructed.
//
// A family says names and shapes; the builder finds the tensors, makes the
// parameters in that order, and lists both for conditioning (Steerable).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/conditioning/steerable.h"
#include "moft/kernels/packed_matrix.h"

namespace moft {

// Finds a parameter by its Hugging Face name and checks its shape at once; what
// it returns reads rows of it whenever it is called.
using FindParameter = std::function<kernels::RowSource(
    const std::string& name, std::vector<std::int64_t> shape)>;

// What becomes of a parameter's rows as they come from the files.
using ChangeRows = std::function<kernels::RowSource(
    const std::string& name,
    const std::vector<std::int64_t>& shape,
    kernels::RowSource rows)>;

struct LoadOptions {
  at::Device device = at::kCPU;
  // How frozen matrices are stored for products.
  kernels::Storage storage = kernels::Storage::kFloat32;
  // A PEFT adapter that load_language_model() merges into the model.
  std::optional<std::filesystem::path> adapter = {};
  ChangeRows change = {};  // none: as they are
};

struct LinearShape {
  std::string name;  // "model.layers.3.self_attn.q_proj"
  std::int64_t out = 0;
  std::int64_t in = 0;
  bool bias = false;
};

class ModelBuilder {
 public:
  // Everything must outlive the builder.
  ModelBuilder(
      Steerable& steerable,
      const FindParameter& find,
      const LoadOptions& options);

  std::shared_ptr<SteeredParameter> parameter(
      const std::string& name, std::vector<std::int64_t> shape);
  // The linear maps that follow belong to this layer; at first 0.
  void begin_layer(std::int64_t layer) { layer_ = layer; }
  // `linear` must stay where it is. `kind`: as in SteerableLinear.
  void linear(
      SteeredLinear& linear, const char* kind, const LinearShape& shape);
  // The output head, [vocabulary, width] under `name`.weight, or the embedding
  // table. Comes last.
  void head(
      SteeredLinear& head,
      const std::string& name,
      const std::shared_ptr<SteeredParameter>& embedding,
      bool tied);
  // Numbers in all parameters.
  std::int64_t count() const;

 private:
  Steerable& steerable_;
  const FindParameter& find_;
  const LoadOptions& options_;
  std::int64_t layer_ = 0;
};

}  // namespace moft
