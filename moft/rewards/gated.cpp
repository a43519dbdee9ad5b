// A reward multiplied by its gate.
#include "moft/rewards/gated.h"

#include <algorithm>

namespace moft {

GatedReward::GatedReward(
    std::shared_ptr<const Reward> reward,
    std::shared_ptr<const Reward> gate,
    const GateOptions& options)
    : Reward(reward->name()),
      reward_(std::move(reward)),
      gate_(std::move(gate)),
      zero_at_(options.zero_at),
      full_at_(options.full_at) {
  options.check(name() + ".gate.");
}

std::vector<double> GatedReward::compute(
    const RewardBatch& batch, RewardMemo& memo) const {
  std::vector<double> values = reward_->score(batch, memo);
  const std::vector<double>& openings = gate_->score(batch, memo);
  for (std::size_t row = 0; row < values.size(); ++row) {
    values[row] *= std::clamp(
        (openings[row] - zero_at_) / (full_at_ - zero_at_), 0.0, 1.0);
  }
  return values;
}

}  // namespace moft
