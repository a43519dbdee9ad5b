// A reward for short (or long) answers.
#pragma once

#include "moft/rewards/reward.h"
#include "moft/rewards/reward_options.h"

namespace moft {

// (length - zero_at) / (full_at - zero_at), cut off to [0, 1]: falling when
// full_at < zero_at, rising otherwise. REQUIRES full_at != zero_at.
double length_reward(double length, double full_at, double zero_at);

// The length in words (core/words.h) or tokens; an empty answer gets 0. The gate
// of the options is not this class's business: see gated.h.
class LengthReward : public Reward {
 public:
  // Throws CallerError when both ends are the same length.
  LengthReward(std::string name, const LengthOptions& options);

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  LengthUnit unit_;
  double full_at_;
  double zero_at_;
};

}  // namespace moft
