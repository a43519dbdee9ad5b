// The gradient of one tensor over a step. Passes add up within a slice of the
// step (training.gradient_accumulation), and the slices one after the other:
//
//   ((slice 0 + slice 1) + slice 2) + ..,   slice k = (pass + pass) + ..
//
// so that a slice's sum depends on the slice alone, wherever it is computed.
// Nothing is fused: a product is rounded before it is added, because the bits
// of a fused sum depend on the element's place in memory.
//
// Without end_slice() everything is one slice. A slice of one add() costs no
// memory and no pass over memory beside the sum itself.
//
// Thread safety: plain values that share tensors.
#pragma once

#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

// The gradient of everything that a slice trains, as sums in a fixed order and
// number; undefined where the slice has none. What ranks add up.
using GradientSlice = std::vector<at::Tensor>;

class GradientSum {
 public:
  // Takes the tensor over, without a copy, where it is the slice's first.
  void add(const at::Tensor& gradient);
  // Adds factor * gradient.
  void add(const at::Tensor& gradient, double factor);
  void end_slice();
  // Takes the open slice out.
  at::Tensor take() { return std::exchange(slice_, at::Tensor()); }

  bool defined() const { return slice_.defined() || ended_.defined(); }
  // Undefined without a gradient. The live tensor, unless passes were added
  // after a slice that ended.
  at::Tensor value() const;
  // Both sums times a factor, in tensors of their own.
  GradientSum times(double factor) const;

 private:
  at::Tensor slice_;  // the one that is open
  at::Tensor ended_;  // those before it
};

}  // namespace moft
