// From a step's reward vectors to one number per row: what training.
// multi_objective_aggregation, reward_standardisation and scalarisation choose.
//
//   sum_then_normalize   f(R; w)
//   normalize_then_sum   w . R', R' normalised in the prompt's group
//   running              w . R', R' by the moments of the steps before
//   ser                  f linearised at the mean of the group's other rows
//
// docs/methods/scalarisation.md has the equations and their bias.
//
// Thread safety: one thread writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/aggregation.h"
#include "moft/rewards/objectives.h"
#include "moft/training/trainer.h"
#include "moft/training/training_options.h"
#include "moft/weightings/scalarisation.h"

namespace moft {

struct ScalarRewards {
  at::Tensor value;  // [B], takes the place of w.R
  // [B], the baseline that `value` needs; undefined: training.baseline's.
  at::Tensor baseline;
};

class RewardCombiner {
 public:
  // w . R.
  RewardCombiner();
  // `names`: of the objectives, in order. CallerError for a name in
  // training.scalarisation that is not an objective.
  RewardCombiner(
      const TrainingOptions& options, const std::vector<std::string>& names);

  // Rows that a prompt must have for its rewards to be combined.
  std::int64_t least_rows() const { return of_means_ ? 2 : 1; }
  // Mapped rewards and weights [B, m], groups int64 [B].
  ScalarRewards combine(
      const at::Tensor& rewards,
      const at::Tensor& weights,
      const at::Tensor& groups) const;
  // The baseline of a value network that predicts mapped rewards:
  // values [B, m], alphas [B] -> [B].
  at::Tensor value_baseline(
      const at::Tensor& values,
      const at::Tensor& weights,
      const at::Tensor& alphas,
      ValueScale scale) const;

  // Takes a finished step's rewards into the moments of the steps to come.
  void observe(const Scores& rewards);
  // Empty without moments.
  NamedTensors state() const;
  void restore(const NamedTensors& state);

 private:
  // On the scale that is summed.
  at::Tensor scaled(const at::Tensor& rewards) const;

  std::shared_ptr<const Scalarisation> f_;
  bool of_means_ = false;
  bool in_groups_ = false;
  bool running_ = false;
  RunningMoments moments_;
};

}  // namespace moft
