// Norms, gated activations and rotary embeddings inside a computation that may
// be differentiated: forward the bits of elementwise.h, backward one pass over
// the rows. Without gradient mode, or when no input asks for a gradient, they
// are the functions of elementwise.h.
//
// Fast for float32 rows on the CPU; ATen's operations elsewhere.
//
// Gradients, G standing for that of the result:
//   rms_norm  y_i = x_i r g_i,  r = 1 / sqrt(mean(x^2) + eps)
//             of x_i: r (G_i g_i - x_i r^2 mean(G g x))
//             of g_i: sum of G_i x_i r
//   gated     y = f(gate) up;  of gate: G up f'(gate); of up: G f(gate)
//   rotary    turned back by the same angles
#pragma once

#include <ATen/ATen.h>

namespace moft::kernels {

// x [.., d], gain [d].
at::Tensor rms_norm_layer(
    const at::Tensor& x, const at::Tensor& gain, double eps);

enum class GatedUnit {
  kSwish,  // SwiGLU: f(z) = z / (1 + exp(-z))
  kGelu,   // GEGLU, f the tanh form of gelu
};

// gate and up of one shape.
at::Tensor gated_layer(
    GatedUnit unit, const at::Tensor& gate, const at::Tensor& up);

// x [tokens, heads, d], the rest as for rotary_. x is left as it is.
at::Tensor rotary_layer(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines);

}  // namespace moft::kernels
