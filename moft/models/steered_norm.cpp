#include "moft/models/steered_norm.h"

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/layer_functions.h"

namespace moft {

at::Tensor steered_rms_norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const RowSteering& steering,
    double epsilon) {
  at::Tensor value = steered_gain(gain, steering);
  if (value.dim() == 1) return kernels::rms_norm_layer(x, value, epsilon);
  if (x.dim() == 3) value = value.unsqueeze(1);
  // The same bits as with one gain for all rows.
  const at::Tensor ones = at::ones({x.size(-1)}, value.options());
  return kernels::rms_norm_layer(x, ones, epsilon) * value;
}

}  // namespace moft
