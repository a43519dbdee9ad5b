// Reward vectors to one number per row.
#include "moft/training/reward_combiner.h"

#include <algorithm>

#include "moft/algorithms/expected_rewards.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/values.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"

namespace moft {

RewardCombiner::RewardCombiner() : f_(new LinearScalarisation()) {}

RewardCombiner::RewardCombiner(
    const TrainingOptions& options, const std::vector<std::string>& names)
    : f_(make_scalarisation(
          options.scalarisation, names, "training.scalarisation")),
      of_means_(options.scalarisation.of_means()),
      in_groups_(
          options.multi_objective_aggregation ==
          RewardAggregation::kNormalizeThenSum),
      running_(
          options.reward_standardisation == RewardStandardisation::kRunning) {}

at::Tensor RewardCombiner::scaled(const at::Tensor& rewards) const {
  return running_ ? moments_.standardised(rewards) : rewards;
}

ScalarRewards RewardCombiner::combine(
    const at::Tensor& rewards,
    const at::Tensor& weights,
    const at::Tensor& groups) const {
  if (of_means_) {
    const LinearisedRewards linearised =
        linearised_rewards(rewards, weights, groups, *f_);
    return {linearised.value, linearised.baseline};
  }
  if (in_groups_)
    return {scalarise(normalise_in_groups(rewards, groups), weights, *f_), {}};
  return {scalarise(scaled(rewards), weights, *f_), {}};
}

at::Tensor RewardCombiner::value_baseline(
    const at::Tensor& values,
    const at::Tensor& weights,
    const at::Tensor& alphas,
    ValueScale scale) const {
  return moft::value_baseline(scaled(values), weights, alphas, scale, *f_);
}

void RewardCombiner::observe(const Scores& rewards) {
  if (!running_) return;
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rewards.mapped.size(0); ++row) {
    if (!std::ranges::binary_search(
            rewards.skipped, static_cast<std::size_t>(row)))
      kept.push_back(row);
  }
  if (kept.empty()) return;
  moments_.add(rewards.mapped.index_select(0, kernels::long_tensor(kept)));
}

NamedTensors RewardCombiner::state() const {
  return moments_.state();
}

void RewardCombiner::restore(const NamedTensors& state) {
  if (!running_ && !state.empty()) {
    throw_caller_error(
        "there are moments of rewards, but training.reward_standardisation is "
        "none; resume with the recipe that wrote them");
  }
  moments_.restore(state);
}

}  // namespace moft
