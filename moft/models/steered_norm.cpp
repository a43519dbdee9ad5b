#include "moft/models/steered_norm.h"

#include "moft/conditioning/steered_linear.h"
#include "moft/kernels/elementwise.h"

namespace moft {

at::Tensor steered_rms_norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const RowSteering& steering,
    double epsilon,
    bool differentiable) {
  at::Tensor value = steered_gain(gain, steering);
  if (!differentiable && value.dim() == 1) {
    return kernels::rms_norm(x, value, epsilon);
  }
  if (value.dim() == 2 && x.dim() == 3) value = value.unsqueeze(1);
  if (!differentiable) {
    // The same bits as with one gain for all rows.
    const at::Tensor ones = at::ones({x.size(-1)}, value.options());
    return kernels::rms_norm(x, ones, epsilon).mul_(value);
  }
  const at::Tensor scale = (x * x).mean(-1, /*keepdim=*/true).add(epsilon);
  return x * scale.rsqrt() * value;
}

}  // namespace moft
