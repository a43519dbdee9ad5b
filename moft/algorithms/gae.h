// Generalised advantage estimation: J. Schulman et al., arXiv 1506.02438,
// equation 16, with an end after every row's last token.
//
//   delta_t = r_t + gamma V_{t+1} - V_t,   V after the end 0
//   A_t     = sum_{u >= t} (gamma lam)^{u - t} delta_u
//   G_t     = A_t + V_t                    what V_t learns
//
// lam = 1: A_t is the discounted sum of the rewards from t on, less V_t;
// unbiased for any V when gamma is 1. lam < 1: less variance, and a bias of
// what V gets wrong. Linear in rewards and values together, so the advantage of
// a weighted sum of rewards is the weighted sum of the objectives' advantages,
// whatever the weighting.
//
// N packed tokens, k columns. Results are double, on the CPU, without gradient.
// Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

struct TokenAdvantages {
  at::Tensor advantages;  // [N, k]
  at::Tensor returns;     // [N, k]
};

// rewards, values [N, k]; lengths int64 [B].
TokenAdvantages generalised_advantages(
    const at::Tensor& rewards,
    const at::Tensor& values,
    const at::Tensor& lengths,
    double gamma,
    double lam);

}  // namespace moft
