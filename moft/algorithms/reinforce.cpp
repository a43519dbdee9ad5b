#include "moft/algorithms/reinforce.h"

#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

void check(
    const at::Tensor& log_probs,
    const at::Tensor& advantages,
    double normaliser) {
  if (log_probs.sizes() != advantages.sizes()) {
    throw_caller_error(
        "{} log-probabilities meet {} advantages; give equal shapes",
        log_probs.numel(),
        advantages.numel());
  }
  if (!(normaliser > 0.0)) {
    throw_caller_error(
        "the loss is divided by {}; give the number of sequences in the step",
        normaliser);
  }
}

at::Tensor constant(const at::Tensor& advantages, const at::Tensor& like) {
  return advantages.detach().to(like.device(), at::kDouble);
}

}  // namespace

at::Tensor reinforce_loss(
    const at::Tensor& sequence_log_probs,
    const at::Tensor& advantages,
    double normaliser) {
  check(sequence_log_probs, advantages, normaliser);
  const at::Tensor a = constant(advantages, sequence_log_probs);
  return (a * sequence_log_probs.to(at::kDouble)).sum() * (-1.0 / normaliser);
}

at::Tensor reinforce_token_loss(
    const at::Tensor& token_log_probs,
    const at::Tensor& advantages,
    const at::Tensor& lengths,
    double normaliser) {
  check(token_log_probs, advantages, normaliser);
  const at::Tensor a = constant(advantages, token_log_probs);
  const at::Tensor terms = a * token_log_probs.to(at::kDouble);
  return sum_padded(terms, lengths).sum() * (-1.0 / normaliser);
}

}  // namespace moft
