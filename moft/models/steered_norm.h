// RMSNorm whose gain may be steered.
#pragma once

#include <ATen/ATen.h>

#include "moft/conditioning/row_steering.h"
#include "moft/conditioning/steered_parameter.h"

namespace moft {

// x / sqrt(mean(x^2) + epsilon) * gain over the last dimension of x, with
// steered_gain()'s values: gain [width], or [rows, width] for a gain per row.
at::Tensor rms_norm_rows(
    const at::Tensor& x, const at::Tensor& gain, double epsilon);

// The same with a parameter over the last dimension of
// x [rows, width] or [rows, heads, width]; a row of `steering` per row of x, or
// uniform. A row's bits depend on the row alone.
at::Tensor steered_rms_norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const RowSteering& steering,
    double epsilon);

}  // namespace moft
