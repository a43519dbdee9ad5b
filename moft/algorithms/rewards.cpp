// Rewards of an update: one number per row.
#include "moft/algorithms/rewards.h"

#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"

namespace moft {

void check_weights(const at::Tensor& rewards, const at::Tensor& weights) {
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
}

at::Tensor scalarise(
    const at::Tensor& rewards,
    const at::Tensor& weights,
    const Scalarisation& f) {
  check_weights(rewards, weights);
  const auto on_host = [&](const at::Tensor& x) {
    return x.detach().to(at::kCPU, at::kDouble).expand_as(rewards).contiguous();
  };
  const at::Tensor r = on_host(rewards);
  const at::Tensor w = on_host(weights);
  const auto m = static_cast<std::size_t>(r.size(1));
  std::vector<double> values;
  for (std::int64_t row = 0; row < r.size(0); ++row) {
    const double* rewards_of_row = r.const_data_ptr<double>() + row * r.size(1);
    const double* weights_of_row = w.const_data_ptr<double>() + row * r.size(1);
    values.push_back(f.value({rewards_of_row, m}, {weights_of_row, m}));
  }
  return row_tensor(values, rewards);
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

}  // namespace moft
