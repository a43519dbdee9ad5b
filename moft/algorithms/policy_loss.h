// The loss whose gradient updates the policy: CLP (arXiv 2407.15762), algorithm
// 1 line 7, with the KL's terms (kl_gradient.h), a weight for every token, and
// the clipped ratio of PPO (arXiv 1707.06347, equation 7) and GRPO (arXiv
// 2402.03300, equation 3; DAPO, arXiv 2503.14476, section 3.1, has two bounds).
//
// N packed tokens, B rows. Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <optional>

#include <ATen/ATen.h>

#include "moft/algorithms/choices.h"

namespace moft {

struct PolicyLoss {
  at::Tensor log_probs;         // [N], with gradient
  at::Tensor lengths;           // int64 [B]
  at::Tensor advantages;        // [B]
  at::Tensor token_advantages;  // [N], read instead; or undefined
  at::Tensor kl_weight;  // [B]: alpha, over what advantages were divided by
                         // (1 where the rewards tied); read with `credit` or
                         // `kl`
  at::Tensor credit;     // [N] token_credit(), or undefined
  at::Tensor kl;         // [N] token_kl() or token_k3() with gradient, or
                         // undefined
  at::Tensor token_weights;  // [N], or undefined: every token counts 1
  // None: REINFORCE, without a ratio.
  std::optional<RatioClip> clip = std::nullopt;
  // [N], read with `clip`; undefined: the current ones, so that rho is 1.
  at::Tensor old_log_probs;
};

// With a_t = A_b + k_b credit_t (A_t where each token has an advantage), c_t
// the token's weight and rho_t = pi_t / old_t:
//
//   without a clip  -(1 / normaliser) sum_t c_t [a_t log pi_t - k_b K_t]
//   with one        -(1 / normaliser) sum_t c_t
//                       [min(rho_t a_t, clip(rho_t) a_t) - k_b K_t]
//
// [], double. Where rho is 1 both have the same gradient. A weight of
// 1 / length makes each row a mean over its tokens (GRPO); a normaliser of N
// with equal weights makes the loss a mean over tokens (DAPO); token_weights.h
// has them all.
at::Tensor policy_loss(const PolicyLoss& terms, double normaliser);

// What the clip did, over the tokens whose weight is not 0. Sums, so that those
// of a batch's parts add up.
struct ClipFigures {
  double tokens = 0.0;
  double low = 0.0;     // rho < 1 - low and a < 0: no gradient
  double high = 0.0;    // rho > 1 + high and a > 0: no gradient
  double square = 0.0;  // of log rho
  double ratio = 0.0;   // of rho

  void add(const ClipFigures& other);
};

// What it did to terms with a clip; all 0 without.
ClipFigures clip_figures(const PolicyLoss& terms);

}  // namespace moft
