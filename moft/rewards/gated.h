// A reward multiplied by a gate that another reward opens.
#pragma once

#include "moft/rewards/gate_options.h"
#include "moft/rewards/reward.h"

namespace moft {

// value * clip((gate's raw value - zero_at) / (full_at - zero_at), 0, 1).
class GatedReward : public Reward {
 public:
  // Throws CallerError unless options.zero_at < options.full_at.
  GatedReward(
      std::shared_ptr<const Reward> reward,
      std::shared_ptr<const Reward> gate,
      const GateOptions& options);

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
