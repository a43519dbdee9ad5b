// Per-token terms of the policy's loss.
#include "moft/algorithms/policy_loss.h"

#include "moft/algorithms/reinforce.h"
#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

// A row's value at each of its tokens: [B] -> [N].
at::Tensor per_token(const at::Tensor& rows, const at::Tensor& lengths) {
  return at::repeat_interleave(rows, lengths.to(rows.device()), 0);
}

void check_tokens(
    const char* what, const at::Tensor& values, const at::Tensor& log_probs) {
  if (!values.defined() || values.sizes() == log_probs.sizes()) return;
  throw_caller_error(
      "{} {} meet {} log-probabilities; give one per token",
      values.numel(),
      what,
      log_probs.numel());
}

}  // namespace

at::Tensor policy_loss(const PolicyLoss& terms, double normaliser) {
  const at::Tensor& log_probs = terms.log_probs;
  check_tokens("credits", terms.credit, log_probs);
  check_tokens("KLs", terms.kl, log_probs);
  check_tokens("token weights", terms.token_weights, log_probs);
  const auto constant = [&](const at::Tensor& values) {
    return values.detach().to(log_probs.device(), at::kDouble);
  };
  const auto weighted = [&](const at::Tensor& values) {
    return terms.token_weights.defined()
               ? values * constant(terms.token_weights)
               : values;
  };
  at::Tensor loss;
  if (terms.credit.defined() || terms.token_weights.defined()) {
    at::Tensor advantages =
        per_token(constant(terms.advantages), terms.lengths);
    if (terms.credit.defined()) {
      advantages =
          advantages + per_token(constant(terms.kl_weight), terms.lengths) *
                           constant(terms.credit);
    }
    loss = reinforce_loss(log_probs, weighted(advantages), normaliser);
  } else {
    loss = reinforce_loss(
        sum_packed(log_probs, terms.lengths), terms.advantages, normaliser);
  }
  if (!terms.kl.defined()) return loss;
  const at::Tensor kl = sum_packed(weighted(terms.kl), terms.lengths);
  return loss + (constant(terms.kl_weight) * kl).sum() * (1.0 / normaliser);
}

}  // namespace moft
