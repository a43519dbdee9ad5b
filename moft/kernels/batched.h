// Attention and sampling of a whole batch in a few large ATen operations: for
// devices where starting an operation costs more than its arithmetic. The
// contracts are those of attention.h and sampling.h without their guarantee (a
// row's last bits may depend on its batch), and no index is checked, because
// that would wait for the device.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "moft/kernels/attention.h"
#include "moft/kernels/padding.h"
#include "moft/kernels/sampling.h"

namespace moft::kernels {

at::Tensor decode_attention_batched(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt);

// REQUIRES the sequences of `tokens` in rising order.
at::Tensor prefill_attention_batched(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const TokenPlaces& tokens,
    double scale);

// Without truncation: neither top_k nor top_p.
bool can_sample_batched(const SampleOptions& options, std::int64_t vocabulary);
// REQUIRES can_sample_batched(). All rows under the same options.
Samples sample_rows_batched(
    const at::Tensor& logits,
    const SampleOptions& options,
    std::span<const double> uniforms);

}  // namespace moft::kernels
