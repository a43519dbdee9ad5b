#include "moft/algorithms/rewards.h"

#include "moft/core/errors.h"

namespace moft {

at::Tensor scalarise(const at::Tensor& rewards, const at::Tensor& weights) {
  const bool fits = rewards.dim() == 2 &&
                    (weights.dim() == 1 || weights.dim() == 2) &&
                    weights.size(-1) == rewards.size(1) &&
                    (weights.dim() == 1 || weights.size(0) == rewards.size(0));
  if (!fits) {
    throw_caller_error(
        "{} rewards meet {} weights; give [B, m] and [m] or [B, m]",
        rewards.numel(),
        weights.numel());
  }
  const at::Tensor w = weights.detach().to(rewards.device(), at::kDouble);
  return (rewards.detach().to(at::kDouble) * w).sum(1);
}

at::Tensor regularised_reward(
    const at::Tensor& scalarised,
    const at::Tensor& sequence_log_ratio,
    const at::Tensor& alpha) {
  const bool fits = scalarised.dim() == 1 &&
                    sequence_log_ratio.sizes() == scalarised.sizes() &&
                    (alpha.dim() == 0 || alpha.sizes() == scalarised.sizes());
  if (!fits) {
    throw_caller_error(
        "{} rewards meet {} log ratios and {} KL strengths; give one of each "
        "per row",
        scalarised.numel(),
        sequence_log_ratio.numel(),
        alpha.numel());
  }
  const at::Tensor a = alpha.detach().to(scalarised.device(), at::kDouble);
  return (1 - a) * scalarised.detach().to(at::kDouble) -
         a * sequence_log_ratio.detach().to(at::kDouble);
}

at::Tensor regularised_reward(
    const at::Tensor& scalarised,
    const at::Tensor& sequence_log_ratio,
    double alpha) {
  return regularised_reward(
      scalarised,
      sequence_log_ratio,
      at::scalar_tensor(alpha, at::TensorOptions().dtype(at::kDouble)));
}

}  // namespace moft
