// Looks through the rewards of a set for their sources.
#include "moft/rewards/outside/asked_by.h"

#include <algorithm>

#include "moft/rewards/outside/reward_source.h"

namespace moft {
namespace {

bool is_asked_by_first_rank(const Reward& reward) {
  if (const RewardSource* source = reward.source()) {
    const SourceOptions& options = source->options();
    return options.unit == CallUnit::kStep ||
           options.asked_by == AskedBy::kFirstRank;
  }
  return std::ranges::any_of(reward.asks(), [](const Reward* other) {
    return is_asked_by_first_rank(*other);
  });
}

}  // namespace

bool asked_by_first_rank(const ObjectiveSet& objectives) {
  return std::ranges::any_of(
      objectives.objectives(), [](const Objective& objective) {
        return is_asked_by_first_rank(*objective.reward);
      });
}

}  // namespace moft
