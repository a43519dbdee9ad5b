// The small operations between a decoder's matrix products, one pass each, and
// their gradients, one pass over the rows.
//
// CPU float32 is the fast path (row bits independent of the neighbours and the
// thread count, with gradient mode and without); everything else goes through
// ATen. Inputs may be strided views with a contiguous last dimension.
//
// Gradients, G standing for that of the result:
//   rms_norm  y_i = x_i r g_i,  r = 1 / sqrt(mean(x^2) + eps)
//             of x_i: r (G_i g_i - x_i r^2 mean(G g x))
//             of g_i: sum of G_i x_i r
//   gated     y = f(gate) up;  of gate: G up f'(gate); of up: G f(gate)
//   rotary    turned back by the same angles
#pragma once

#include <cstdint>
#include <span>

#include <ATen/ATen.h>

namespace moft::kernels {

// x [.., width], gain [width] -> x / sqrt(mean(x^2) + eps) * gain.
// Also serves the q/k norms of Qwen3 (x [N, heads, d], gain [d]).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps);

enum class GatedUnit {
  kSwish,  // SwiGLU: f(z) = z / (1 + exp(-z))
  kGelu,   // GEGLU, f the tanh form of gelu ("gelu_new")
};

// f(gate) up; gate and up of one shape.
at::Tensor gated(GatedUnit unit, const at::Tensor& gate, const at::Tensor& up);

// Rotary position embedding in Hugging Face's half-split layout:
// with a = x[.., :d/2], b = x[.., d/2:], angle by position,
//   a' = a cos - b sin,  b' = b cos + a sin.
// x [N, heads, d], positions int64 [N], cosines and sines
// [max_positions, d/2] float32.
// CallerError when a position is outside the table.
at::Tensor rotary(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines);

// result[i] = sum over t of factors[t] * sources[t][i], in double, in the order
// of the terms, rounded once. In the calling thread, for plain memory on CPUs.
// REQUIRES at least one term.
void mix(
    std::span<const float* const> sources,
    std::span<const double> factors,
    std::int64_t count,
    float* result);

}  // namespace moft::kernels
