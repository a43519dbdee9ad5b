// LayerNorm whose gain and bias may be steered.
//
// Thread safety: pure (caches of the parameters).
#pragma once

#include <memory>

#include <ATen/ATen.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/models/model_builder.h"

namespace moft {

struct SteeredLayerNorm {
  std::shared_ptr<SteeredParameter> gain;
  std::shared_ptr<SteeredParameter> bias;  // null: none
};

// name.weight and, with a bias, name.bias.
SteeredLayerNorm build_layer_norm(
    ModelBuilder& builder,
    const std::string& name,
    std::int64_t width,
    bool bias = true);

// x [rows, width].
at::Tensor layer_norm_rows(
    const at::Tensor& x,
    const SteeredLayerNorm& norm,
    double epsilon,
    const RowSteering& steering);

}  // namespace moft
