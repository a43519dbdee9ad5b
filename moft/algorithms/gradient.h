// Gradients of steered parameters without copies of them.
//
// The gradient of copy i of a steered parameter is c_i G, with G the gradient
// of the mixed parameter (CLP, arXiv 2407.15762, appendix A.3). It travels as
// the pair (G, c_i), so m copies share one G.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

// What one of several ranks holds of a tensor: elements [begin, end),
// row-major.
struct TensorPart {
  std::vector<std::int64_t> shape;  // of the whole tensor
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t count() const { return end - begin; }
};

// A trained tensor: the float32 master, written in place by the optimizer.
// Views (one adapter's rows of a stacked matrix) are allowed.
struct TrainedTensor {
  std::string name;  // unique; the key of its optimizer state
  at::Tensor master;
  bool decays = true;  // false: no weight decay (norm gains, biases)
  // The objective that it belongs to; none: common to all.
  std::optional<std::size_t> copy = std::nullopt;
  bool transposed_in_files = false;  // matrices only
  // Where ranks share the tensor: what `master` is of it, flat. None: all.
  std::optional<TensorPart> part = std::nullopt;

  // Those of the whole tensor.
  at::IntArrayRef shape() const {
    return part ? at::IntArrayRef(part->shape) : master.sizes();
  }
  std::int64_t numel() const { return c10::multiply_integers(shape()); }
};

// coefficient * tensor. Coefficient 0, or an undefined tensor: this parameter
// had no part in the step.
struct ScaledGradient {
  at::Tensor tensor;
  double coefficient = 1.0;

  bool takes_part() const { return tensor.defined() && coefficient != 0.0; }
};

}  // namespace moft
