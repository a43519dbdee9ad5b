// The small operations between a decoder's matrix products, one pass each.
//
// No autograd. CPU float32 is the fast path (row bits independent of the
// neighbours and the thread count); everything else goes through ATen.
// Inputs may be strided views with a contiguous last dimension.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/ATen.h>

namespace moft::kernels {

// x [.., width], gain [width] -> x / sqrt(mean(x^2) + eps) * gain.
// Also serves the q/k norms of Qwen3 (x [N, heads, d], gain [d]).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps);

// Rotary position embedding, in place, Hugging Face's half-split layout:
// with a = x[.., :d/2], b = x[.., d/2:], angle by position,
//   a' = a cos - b sin,  b' = b cos + a sin.
// x [N, heads, d] (a view into a fused product is fine), positions int64 [N],
// cosines and sines [max_positions, d/2] float32.
// CallerError when a position is outside the table.
void rotary_(
    at::Tensor x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines);

// silu(gate) * up = gate / (1 + exp(-gate)) * up; both [N, ffn].
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// gelu(gate) * up in gelu's tanh form ("gelu_new"); both [N, ffn].
at::Tensor geglu(const at::Tensor& gate, const at::Tensor& up);

// result[i] = sum over t of factors[t] * sources[t][i], in double, in the order
// of the terms, rounded once. In the calling thread, for plain memory on CPUs.
// REQUIRES at least one term.
void mix(
    std::span<const float* const> sources,
    std::span<const double> factors,
    std::int64_t count,
    float* result);

}  // namespace moft::kernels
