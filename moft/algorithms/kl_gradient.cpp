// Every way to bring the KL into the gradient.
#include "moft/algorithms/kl_gradient.h"

#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"

namespace moft {

bool differentiates_kl(KlEstimator estimator) {
  return estimator == KlEstimator::kTokenExact ||
         estimator == KlEstimator::kTokenDirect;
}

bool has_kl_in_loss(KlEstimator estimator) {
  return differentiates_kl(estimator) || estimator == KlEstimator::kTokenK3;
}

std::optional<std::string> kl_estimator_warning(KlEstimator estimator) {
  switch (estimator) {
    case KlEstimator::kTokenDirect:
      return "kl_estimator token_direct has a biased gradient (cosine .966 to "
             "the true one on the enumerated task): an early token is not "
             "charged for the KL that it leads to; its optimum is not that of "
             "(1 - alpha) w.R - alpha KL";
    case KlEstimator::kTokenK3:
      return "kl_estimator token_k3 has a biased gradient (that of "
             "token_direct, noisier): an early token is not charged for the KL "
             "that it leads to; its optimum is not that of "
             "(1 - alpha) w.R - alpha KL";
    case KlEstimator::kSequenceK2:
      return "kl_estimator sequence_k2 has a biased gradient (cosine .946 to "
             "the true one on the enumerated task): it punishes answers rarer "
             "than under the reference like those more frequent, which makes "
             "them rarer still; its optimum is not that of "
             "(1 - alpha) w.R - alpha KL";
    case KlEstimator::kSequenceK3:
      return "kl_estimator sequence_k3 has a biased gradient (cosine .902 to "
             "the true one on the enumerated task): it punishes answers rarer "
             "than under the reference, exponentially in how much, which makes "
             "them rarer still; its optimum is not that of "
             "(1 - alpha) w.R - alpha KL";
    case KlEstimator::kNone:
      return "kl_estimator none trains without any pull to the reference (so "
             "does the KL in the reward as the paper prints it): its optimum "
             "is that of the reward alone, and KL grows without bound";
    default:
      return std::nullopt;
  }
}

at::Tensor k2(const at::Tensor& log_ratio) {
  return log_ratio.detach().to(at::kDouble).square() / 2;
}

at::Tensor k3(const at::Tensor& log_ratio) {
  const at::Tensor l = log_ratio.detach().to(at::kDouble);
  return at::expm1(-l) + l;
}

at::Tensor reward_kl(KlEstimator estimator, const TokenKl& tokens) {
  if (estimator == KlEstimator::kTokenExact)
    return sum_packed(tokens.kl.detach(), tokens.lengths);
  const at::Tensor sequence =
      sum_packed(tokens.log_ratio.detach(), tokens.lengths);
  switch (estimator) {
    case KlEstimator::kSequenceK2:
      return k2(sequence);
    case KlEstimator::kSequenceK3:
      return k3(sequence);
    case KlEstimator::kTokenDirect:
    case KlEstimator::kTokenK3:
    case KlEstimator::kNone:
      return at::zeros_like(sequence);
    default:
      return sequence;
  }
}

at::Tensor token_credit(KlEstimator estimator, const TokenKl& tokens) {
  if (estimator == KlEstimator::kRewardToGo)
    return prefix_sums_packed(tokens.log_ratio, tokens.lengths);
  if (estimator == KlEstimator::kTokenExact) {
    return prefix_sums_packed(tokens.kl, tokens.lengths) +
           tokens.kl.detach().to(at::kDouble);
  }
  return {};
}

at::Tensor token_k3(
    const at::Tensor& log_probs,
    const at::Tensor& reference_log_probs,
    const at::Tensor& old_log_probs,
    bool corrected) {
  if (log_probs.sizes() != reference_log_probs.sizes()) {
    throw_caller_error(
        "{} log-probabilities of the policy meet {} of the reference; give one "
        "of each per token",
        log_probs.numel(),
        reference_log_probs.numel());
  }
  const auto constant = [&](const at::Tensor& values) {
    return values.detach().to(log_probs.device(), at::kDouble);
  };
  const at::Tensor own = log_probs.to(at::kDouble);
  const at::Tensor l = own - constant(reference_log_probs);
  const at::Tensor kl = at::expm1(-l) + l;
  if (!corrected) return kl;
  const at::Tensor& old = old_log_probs.defined() ? old_log_probs : log_probs;
  return kl * (own - constant(old)).exp();
}

at::Tensor token_kl(
    const at::Tensor& policy_logits,
    const at::Tensor& reference_logits,
    double inverse_temperature) {
  if (policy_logits.dim() != 2 ||
      policy_logits.sizes() != reference_logits.sizes()) {
    throw_caller_error(
        "{} logits of the policy meet {} of the reference; give [N, V] of both",
        policy_logits.numel(),
        reference_logits.numel());
  }
  const at::Tensor policy =
      at::log_softmax(policy_logits * inverse_temperature, 1);
  const at::Tensor reference =
      at::log_softmax(reference_logits.detach() * inverse_temperature, 1);
  return (policy.exp() * (policy - reference)).sum(1);
}

}  // namespace moft
