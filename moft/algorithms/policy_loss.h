// The loss whose gradient updates the policy: CLP (arXiv 2407.15762), algorithm
// 1 line 7, with the KL's terms (kl_gradient.h) and a weight for every token.
//
// N packed tokens, B rows. Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

struct PolicyLoss {
  at::Tensor log_probs;   // [N], with gradient
  at::Tensor lengths;     // int64 [B]
  at::Tensor advantages;  // [B]
  at::Tensor kl_weight;   // [B]: alpha, over what advantages were divided by
                          // (1 where the rewards tied); read with `credit` or
                          // `kl`
  at::Tensor credit;      // [N] token_credit(), or undefined
  at::Tensor kl;          // [N] token_kl() with gradient, or undefined
  at::Tensor token_weights;  // [N], or undefined: every token counts 1
};

// -(1 / normaliser) sum_b sum_t c_t [(A_b + k_b credit_t) log pi_t - k_b K_t]:
// [], double. c_t is the token's weight: 1 / length of its row makes each row a
// mean over its tokens (GRPO); a normaliser of N with equal weights makes the
// loss a mean over tokens (DAPO).
at::Tensor policy_loss(const PolicyLoss& terms, double normaliser);

}  // namespace moft
