// sampling.h in a few large ATen operations, for devices where starting an
// operation costs more than its arithmetic.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/ATen.h>

#include "moft/kernels/sample_options.h"

namespace moft::kernels {

// Without truncation: neither top_k nor top_p.
bool can_sample_aten(const SampleOptions& options, std::int64_t vocabulary);
// REQUIRES can_sample_aten(). All rows under the same options.
Samples sample_rows_aten(
    const at::Tensor& logits,
    const SampleOptions& options,
    std::span<const double> uniforms);

}  // namespace moft::kernels
