// The REINFORCE loss.
#include "moft/algorithms/reinforce.h"

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

}  // namespace

at::Tensor reinforce_loss(
    const at::Tensor& log_probs,
    const at::Tensor& advantages,
    double normaliser) {
  check(log_probs, advantages, normaliser);
  const at::Tensor a = advantages.detach().to(log_probs.device(), at::kDouble);
  return (a * log_probs.to(at::kDouble)).sum() * (-1.0 / normaliser);
}

}  // namespace moft
