// LayerNorm with a gain and a bias per row, where rows differ in steering.
#include "moft/models/steered_layer_norm.h"

namespace moft {

SteeredLayerNorm build_layer_norm(
    ModelBuilder& builder,
    const std::string& name,
    std::int64_t width,
    bool bias) {
  SteeredLayerNorm norm;
  norm.gain = builder.parameter(name + ".weight", {width});
  if (bias) norm.bias = builder.parameter(name + ".bias", {width});
  return norm;
}

at::Tensor layer_norm_rows(
    const at::Tensor& x,
    const SteeredLayerNorm& norm,
    double epsilon,
    const RowSteering& steering) {
  const at::Tensor gain = steered_gain(*norm.gain, steering);
  at::Tensor bias;
  if (norm.bias != nullptr) bias = steered_gain(*norm.bias, steering);
  if (gain.dim() == 1 && (!bias.defined() || bias.dim() == 1)) {
    return at::layer_norm(x, gain.sizes(), gain, bias, epsilon);
  }
  const at::Tensor y = at::layer_norm(x, {x.size(-1)}, {}, {}, epsilon) * gain;
  return bias.defined() ? y + bias : y;
}

}  // namespace moft
