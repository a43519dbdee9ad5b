// From a recipe's objectives to rewards that can be computed.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "moft/rewards/objectives.h"
#include "moft/rewards/reward_options.h"

namespace moft {

// Builds what a recipe's `objectives` say, in their (alphabetical) order.
// Relative paths are relative to `base`; encoders are loaded once per directory
// and run on `device` with ATen's threads. Throws CallerError as
// check_objectives and the kinds do.
ObjectiveSet make_objectives(
    const Objectives& options,
    const std::filesystem::path& base,
    at::Device device = at::kCPU);

// A reward multiplied by a gate that another reward opens:
// value * clip((gate's raw value - zero_at) / (full_at - zero_at), 0, 1).
class GatedReward : public Reward {
 public:
  // Throws CallerError unless options.zero_at < options.full_at.
  GatedReward(
      std::shared_ptr<const Reward> reward,
      std::shared_ptr<const Reward> gate,
      const GateOptions& options);

  const RewardSource* source() const override {
    return reward_->source() ? reward_->source() : gate_->source();
  }
  std::vector<const Reward*> asks() const override {
    return {reward_.get(), gate_.get()};
  }
  bool may_be_missing() const override {
    return reward_->may_be_missing() || gate_->may_be_missing();
  }

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  std::shared_ptr<const Reward> reward_;
  std::shared_ptr<const Reward> gate_;
  double zero_at_;
  double full_at_;
};

}  // namespace moft
