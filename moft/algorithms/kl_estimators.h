// Single-sample estimates of KL(pi || ref) from the log-probabilities of the
// sampled tokens.
//
// With l = log pi(y) - log ref(y) for y drawn from pi (J. Schulman,
// "Approximating KL divergence", 2020):
//   k1 = l                  unbiased; may be negative
//   k2 = l^2 / 2            biased; low variance
//   k3 = exp(-l) - 1 + l    unbiased, never negative
// Only k1 may be used in a reward: E[k1 grad log pi] = grad KL, while k2 and
// k3 there give a wrong gradient (cosine .95 and .90 to the right one on the
// enumerated task of the tests). k2 and k3 are for monitoring.
// The exact KL per token, which needs all logits, is in kernels/.
//
// No gradient flows; results are double. Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

// log pi - log ref of each token, without gradient, double, same shape.
// CallerError unless both have one shape.
at::Tensor log_ratio(
    const at::Tensor& policy_log_probs, const at::Tensor& reference_log_probs);

// Elementwise on a log ratio (of tokens or of sequences).
at::Tensor k1(const at::Tensor& log_ratio);
at::Tensor k2(const at::Tensor& log_ratio);
at::Tensor k3(const at::Tensor& log_ratio);

}  // namespace moft
