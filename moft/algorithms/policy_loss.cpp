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

void check(const PolicyLoss& terms) {
  check_tokens("advantages", terms.token_advantages, terms.log_probs);
  check_tokens("credits", terms.credit, terms.log_probs);
  check_tokens("KLs", terms.kl, terms.log_probs);
  check_tokens("token weights", terms.token_weights, terms.log_probs);
  check_tokens("old log-probabilities", terms.old_log_probs, terms.log_probs);
}

at::Tensor constant(const PolicyLoss& terms, const at::Tensor& values) {
  return values.detach().to(terms.log_probs.device(), at::kDouble);
}

// a_t: [N], double, no gradient.
at::Tensor token_advantages(const PolicyLoss& terms) {
  const at::Tensor a =
      terms.token_advantages.defined()
          ? constant(terms, terms.token_advantages)
          : per_token(constant(terms, terms.advantages), terms.lengths);
  if (!terms.credit.defined()) return a;
  return a + per_token(constant(terms, terms.kl_weight), terms.lengths) *
                 constant(terms, terms.credit);
}

at::Tensor weighted(const PolicyLoss& terms, const at::Tensor& values) {
  return terms.token_weights.defined()
             ? values * constant(terms, terms.token_weights)
             : values;
}

// log rho_t, with gradient.
at::Tensor log_ratio(const PolicyLoss& terms) {
  const at::Tensor current = terms.log_probs.to(at::kDouble);
  const at::Tensor& old =
      terms.old_log_probs.defined() ? terms.old_log_probs : terms.log_probs;
  return current - constant(terms, old);
}

at::Tensor clipped_loss(const PolicyLoss& terms, double normaliser) {
  const at::Tensor a = weighted(terms, token_advantages(terms));
  const at::Tensor ratio = log_ratio(terms).exp();
  const at::Tensor clipped =
      ratio.clamp(1.0 - terms.clip->low, 1.0 + terms.clip->high);
  // reinforce_loss() checks the shapes and the normaliser.
  const at::Tensor kept =
      at::where((ratio * a).le(clipped * a), ratio, clipped);
  return reinforce_loss(kept, a, normaliser);
}

at::Tensor plain_loss(const PolicyLoss& terms, double normaliser) {
  if (terms.credit.defined() || terms.token_weights.defined() ||
      terms.token_advantages.defined()) {
    return reinforce_loss(
        terms.log_probs, weighted(terms, token_advantages(terms)), normaliser);
  }
  return reinforce_loss(
      sum_packed(terms.log_probs, terms.lengths), terms.advantages, normaliser);
}

}  // namespace

at::Tensor policy_loss(const PolicyLoss& terms, double normaliser) {
  check(terms);
  const at::Tensor loss = terms.clip ? clipped_loss(terms, normaliser)
                                     : plain_loss(terms, normaliser);
  if (!terms.kl.defined()) return loss;
  const at::Tensor kl = sum_packed(weighted(terms, terms.kl), terms.lengths);
  return loss +
         (constant(terms, terms.kl_weight) * kl).sum() * (1.0 / normaliser);
}

void ClipFigures::add(const ClipFigures& other) {
  tokens += other.tokens;
  low += other.low;
  high += other.high;
  square += other.square;
  ratio += other.ratio;
}

ClipFigures clip_figures(const PolicyLoss& terms) {
  if (!terms.clip) return {};
  check(terms);
  const at::Tensor a = token_advantages(terms);
  const at::Tensor l = log_ratio(terms).detach();
  const at::Tensor ratio = l.exp();
  const at::Tensor counts =
      terms.token_weights.defined()
          ? constant(terms, terms.token_weights).ne(0.0).to(at::kDouble)
          : at::ones_like(l);
  const auto sum = [&](const at::Tensor& values) {
    return (values.to(at::kDouble) * counts).sum().item<double>();
  };
  return {
      counts.sum().item<double>(),
      sum(ratio.lt(1.0 - terms.clip->low).logical_and(a.lt(0.0))),
      sum(ratio.gt(1.0 + terms.clip->high).logical_and(a.gt(0.0))),
      sum(l.square()),
      sum(ratio)};
}

}  // namespace moft
