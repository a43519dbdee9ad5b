// RMSNorm with one gain for all rows or a gain per row.
#include "moft/models/steered_norm.h"

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/elementwise.h"

namespace moft {

at::Tensor rms_norm_rows(
    const at::Tensor& x, const at::Tensor& gain, double epsilon) {
  if (gain.dim() == 1) return kernels::rms_norm(x, gain, epsilon);
  // The same bits as with one gain for all rows.
  const at::Tensor ones = at::ones({x.size(-1)}, gain.options());
  const at::Tensor by_row = x.dim() == 3 ? gain.unsqueeze(1) : gain;
  return kernels::rms_norm(x, ones, epsilon) * by_row;
}

at::Tensor steered_rms_norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const RowSteering& steering,
    double epsilon) {
  return rms_norm_rows(x, steered_gain(gain, steering), epsilon);
}

}  // namespace moft
