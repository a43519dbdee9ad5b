// The tensors of a model's files under the names that the model asks for. What
// the files hold is what counts: a prefix that a wrapper left on every name is
// taken off, and a tensor that belongs into a layer but that the model does not
// read is an error, because the computation was another one.
//
// Thread safety: one thread at a time while a model is built.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/checkpoints/tensor_source.h"
#include "moft/kernels/packed_matrix.h"

namespace moft {

class ModelTensors {
 public:
  // `anchor` is the name of a tensor that every model of the family has and
  // that begins with `root` ("model." or ""); it may carry another prefix in
  // the files, or lack `root`.
  ModelTensors(
      std::shared_ptr<const TensorSource> source,
      std::string root,
      const std::string& anchor);

  bool has(const std::string& name) const;
  // CallerError unless the tensor is there with this shape and holds
  // floating-point numbers. Marks it as read.
  TensorView find(
      const std::string& name, const std::vector<std::int64_t>& shape);
  // Rows of it. They are checked to be finite when they are read.
  kernels::RowSource rows(
      const std::string& name, const std::vector<std::int64_t>& shape);
  kernels::RowSource rows_of(const TensorView& view) const;

  // Whether both hold the same numbers.
  bool equal(const std::string& one, const std::string& other) const;
  void mark_read(const std::string& name) { read_.insert(stored_name(name)); }
  // CallerError when a tensor whose name contains one of `layers` was not
  // read; a warning for other ones. Tensors that are known to be harmless or
  // whose name contains one of `unused` are passed over.
  void check_all_read(
      const std::vector<std::string>& layers,
      const std::vector<std::string>& unused = {}) const;

  const TensorSource& source() const { return *source_; }

 private:
  std::string stored_name(const std::string& name) const;

  std::shared_ptr<const TensorSource> source_;
  std::string root_;
  std::string stored_root_;   // what stands for `root_` in the files
  std::string outer_prefix_;  // in front of names without `root_`
  std::set<std::string> read_;
};

// A tensor's place in its file, after checking its shape and type.
TensorView find_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape);

// A tensor as float32 on the CPU, after checking its shape, its type and that
// its numbers are finite.
at::Tensor read_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape);

// CallerError when a part of a tensor, from its element `first` on, holds
// infinities or NaN.
void check_finite(
    const TensorSource& source, const TensorView& part, std::int64_t first = 0);

// Rows of a view as they are read, checked to be finite; `source` keeps the
// mapping alive.
kernels::RowSource rows_of(
    const std::shared_ptr<const TensorSource>& source, const TensorView& view);

}  // namespace moft
