// How the KL of equation 1 enters the policy's gradient.
//
// The objective is E_y[(1 - alpha) w.R(x, y)] - alpha KL(pi || ref), the KL
// over whole outputs. With l_t the log ratio of the sampled token and K_t the
// KL of its whole distribution to the reference's:
//
//   sequence      -alpha sum_t l_t in the reward                       exact
//   reward_to_go  -alpha sum_{u >= t} l_u in the reward of token t      exact
//   token_exact   -alpha grad K_t, and -alpha sum_{u > t} K_u in the
//                 reward of token t: no sampling noise in a token's KL  exact
//   token_direct  -alpha grad K_t alone: what a token does to the KL
//                 after it is left out
//   token_k3      -alpha grad of TRL's KL in the loss (GRPO, arXiv 2402.03300,
//                 equation 4): k3 of each token, times its ratio to the policy
//                 that sampled it. Its expected gradient is token_direct's;
//                 without the ratio (TRL's use_bias_correction_kl: false) it is
//                 that of KL(ref || pi) of each token
//   sequence_k2   -alpha l^2 / 2 in the reward, l = sum_t l_t
//   sequence_k3   -alpha (exp(-l) - 1 + l) in the reward
//   none          no KL; CLP's algorithm 1 as printed, with the whole KL in
//                 the reward, has the same expected gradient, as that KL does
//                 not depend on y
//
// The exact ones differ in variance only; tests hold every row's expected
// gradient to an enumerated oracle (docs/methods/algorithm.md).
//
// k2 and k3 estimate the KL from a sample (J. Schulman, "Approximating KL
// divergence", 2020; k2 biased, of low variance, k3 unbiased, never negative),
// but in a reward only l itself has the right gradient:
// E[l grad log pi] = grad KL.
//
// N packed tokens, B rows, V vocabulary. Errors: CallerError when shapes do not
// fit. Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/algorithms/kl_estimator.h"

namespace moft {

// What is known of the sampled tokens, row after row.
struct TokenKl {
  at::Tensor log_ratio;  // [N], log pi - log ref of the token
  at::Tensor kl;         // [N], K_t; read when differentiates_kl
  at::Tensor lengths;    // int64 [B]
};

// The KL term of each sequence's reward, which is multiplied by -alpha: [B],
// double, no gradient.
at::Tensor reward_kl(KlEstimator estimator, const TokenKl& tokens);

// What a token's reward has more than its sequence's, to be multiplied by
// alpha: the KL terms of the past, which the token cannot change any more.
// [N], double, no gradient; undefined when it is 0 everywhere.
at::Tensor token_credit(KlEstimator estimator, const TokenKl& tokens);

// l^2 / 2 and exp(-l) - 1 + l of log ratios l, elementwise: double, without
// gradient.
at::Tensor k2(const at::Tensor& log_ratio);
at::Tensor k3(const at::Tensor& log_ratio);

// exp(-l) - 1 + l with l = log pi - log ref of each token, times rho = pi / old
// when `corrected`, with gradient in both: [N], double. old undefined: the
// current log-probabilities, so that rho is 1 and has a gradient.
at::Tensor token_k3(
    const at::Tensor& log_probs,
    const at::Tensor& reference_log_probs,
    const at::Tensor& old_log_probs,
    bool corrected);

// K_t, differentiable in the policy's logits. Logits [N, V] -> [N].
at::Tensor token_kl(
    const at::Tensor& policy_logits,
    const at::Tensor& reference_logits,
    double inverse_temperature);

}  // namespace moft
