// Targets, loss and slope of preference optimisation.
#include "moft/algorithms/preferences.h"

#include <algorithm>
#include <vector>

#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"

namespace moft {
namespace {

constexpr double kEqual = 1e-9;

[[noreturn]] void refuse_strength(double alpha) {
  throw_caller_error(
      "a KL strength alpha of {} has no preference optimisation, whose beta is "
      "alpha / (1 - alpha); give one above 0 and below 1",
      alpha);
}

at::Tensor as_double(const at::Tensor& values) {
  return values.to(at::kDouble);
}

at::Tensor raw_targets(
    const at::Tensor& difference,  // [P, m], first less second
    const at::Tensor& weights,
    PreferenceTarget target) {
  if (target == PreferenceTarget::kVotes) {
    const at::Tensor votes =
        at::where(difference.abs() < kEqual, 0.0, at::sign(difference));
    return 0.5 + 0.5 * (weights * votes).sum(1);
  }
  const at::Tensor scalar = (weights * difference).sum(1);
  if (target == PreferenceTarget::kBradleyTerry) return at::sigmoid(scalar);
  const at::Tensor better =
      at::where(scalar.abs() < kEqual, 0.0, at::sign(scalar));
  return 0.5 + 0.5 * better;
}

double sum_of(const at::Tensor& values) {
  return values.sum().item<double>();
}

}  // namespace

double preference_beta(double alpha) {
  if (!(alpha > 0.0 && alpha < 1.0)) refuse_strength(alpha);
  return alpha / (1.0 - alpha);
}

at::Tensor preference_beta(const at::Tensor& alphas) {
  std::vector<double> betas = row_values(alphas, "KL strengths");
  for (double& beta : betas)
    beta = preference_beta(beta);
  return row_tensor(betas, alphas);
}

PreferenceTargets PreferenceTargets::select(const at::Tensor& pairs) const {
  return {
      first.index_select(0, pairs),
      sign.index_select(0, pairs),
      kept.index_select(0, pairs)};
}

PreferenceTargets preference_targets(
    const at::Tensor& first,
    const at::Tensor& second,
    const at::Tensor& weights,
    const PreferenceLossOptions& options) {
  if (first.dim() != 2 || first.sizes() != second.sizes() ||
      first.sizes() != weights.sizes()) {
    throw_caller_error(
        "preferences: scores and weights do not fit; give [pairs, objectives] "
        "each");
  }
  const at::Tensor difference = as_double(first) - as_double(second);
  const at::Tensor q =
      raw_targets(difference, as_double(weights), options.target);
  PreferenceTargets targets;
  targets.sign = at::where((q - 0.5).abs() < kEqual, 0.0, at::sign(q - 0.5));
  targets.kept = options.ties == PreferenceTies::kSkip ? targets.sign.abs()
                                                       : at::ones_like(q);
  const double e = options.label_smoothing;
  targets.first = options.loss_type == PreferenceLoss::kRobust
                      ? (q - e) / (1 - 2 * e)
                      : (1 - 2 * e) * q + e;
  return targets;
}

at::Tensor dpo_loss(
    const at::Tensor& margins, const PreferenceTargets& targets) {
  const at::Tensor z = as_double(margins);
  const at::Tensor q = targets.first.to(z.device());
  const at::Tensor loss =
      -q * at::log_sigmoid(z) - (1 - q) * at::log_sigmoid(-z);
  return (targets.kept.to(z.device()) * loss).sum();
}

at::Tensor dpo_slope(
    const at::Tensor& margins, const PreferenceTargets& targets) {
  return targets.kept * (targets.first - at::sigmoid(as_double(margins)));
}

at::Tensor PairScores::margins() const {
  return betas * (log_ratios.select(1, 0) - log_ratios.select(1, 1));
}

// ---- figures ---------------------------------------------------------------

void PreferenceFigures::add(
    const PairScores& scores, const PreferenceTargets& targets) {
  const at::Tensor margins = scores.margins();
  loss_ += dpo_loss(margins, targets).item<double>();
  kept_ += sum_of(targets.kept);
  pairs_ += static_cast<double>(margins.numel());
  const at::Tensor decided = targets.sign.abs();
  decided_ += sum_of(decided);
  const at::Tensor first_wins = targets.sign > 0;
  const auto add_both =
      [&](const char* chosen, const char* rejected, const at::Tensor& values) {
        const at::Tensor a = values.select(1, 0);
        const at::Tensor b = values.select(1, 1);
        sums_[chosen] += sum_of(decided * at::where(first_wins, a, b));
        sums_[rejected] += sum_of(decided * at::where(first_wins, b, a));
      };
  add_both(
      "rewards/chosen",
      "rewards/rejected",
      scores.betas.unsqueeze(1) * scores.log_ratios);
  add_both("logps/chosen", "logps/rejected", scores.log_probs);
  const at::Tensor of_chosen = targets.sign * margins;
  sums_["rewards/margins"] += sum_of(of_chosen);
  sums_["rewards/accuracies"] += sum_of((of_chosen > 0).to(at::kDouble));
}

double PreferenceFigures::loss() const {
  return loss_ / std::max(kept_, 1.0);
}

std::map<std::string, double> PreferenceFigures::metrics() const {
  std::map<std::string, double> metrics{
      {"loss", loss()},
      {"preferences/ties", 1.0 - decided_ / std::max(pairs_, 1.0)}};
  if (decided_ == 0.0) return metrics;
  for (const auto& [name, sum] : sums_)
    metrics[name] = sum / decided_;
  return metrics;
}

// ---- online ----------------------------------------------------------------

RowPairs pairs_of_rows(
    const at::Tensor& prompt_of_row, const at::Tensor& kept) {
  const at::Tensor rows = kept.to(at::kLong).contiguous();
  const at::Tensor prompts = prompt_of_row.index_select(0, rows).contiguous();
  const auto* row = rows.const_data_ptr<std::int64_t>();
  const auto* prompt = prompts.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> second;
  for (std::int64_t i = 0; i < rows.numel(); ++i) {
    for (std::int64_t j = i + 1; j < rows.numel() && prompt[j] == prompt[i];
         ++j) {
      first.push_back(row[i]);
      second.push_back(row[j]);
    }
  }
  return {kernels::long_tensor(first), kernels::long_tensor(second)};
}

at::Tensor row_advantages(
    const RowPairs& pairs,
    const PairScores& scores,
    const PreferenceTargets& targets,
    std::int64_t rows) {
  const double kept = std::max(1.0, sum_of(targets.kept));
  const at::Tensor pull =
      scores.betas * dpo_slope(scores.margins(), targets) / kept;
  at::Tensor advantages = at::zeros({rows}, at::kDouble);
  advantages.index_add_(0, pairs.first, pull);
  advantages.index_add_(0, pairs.second, -pull);
  return advantages;
}

}  // namespace moft
