// Sums of gradients in a fixed order.
#include "moft/conditioning/gradient_sum.h"

#include <ATen/core/grad_mode.h>

namespace moft {
namespace {

void add_to(at::Tensor& sum, const at::Tensor& term) {
  const at::NoGradGuard no_gradient;
  if (sum.defined()) {
    sum.add_(term);
  } else {
    sum = term;
  }
}

at::Tensor product(const at::Tensor& tensor, double factor) {
  const at::NoGradGuard no_gradient;
  return tensor.defined() ? tensor * factor : tensor;
}

}  // namespace

void GradientSum::add(const at::Tensor& gradient) {
  add_to(slice_, gradient);
}

void GradientSum::add(const at::Tensor& gradient, double factor) {
  add_to(slice_, product(gradient, factor));
}

void GradientSum::end_slice() {
  if (!slice_.defined()) return;
  add_to(ended_, slice_);
  slice_ = at::Tensor();
}

at::Tensor GradientSum::value() const {
  if (!ended_.defined()) return slice_;
  if (!slice_.defined()) return ended_;
  const at::NoGradGuard no_gradient;
  return ended_ + slice_;
}

GradientSum GradientSum::times(double factor) const {
  GradientSum result;
  result.slice_ = product(slice_, factor);
  result.ended_ = product(ended_, factor);
  return result;
}

}  // namespace moft
