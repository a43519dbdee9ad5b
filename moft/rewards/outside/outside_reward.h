// An objective's reward as one output of a source.
//
// Thread safety: as Reward's; a memo belongs to one thread.
#pragma once

#include <memory>
#include <string>

#include "moft/rewards/outside/reward_source.h"
#include "moft/rewards/reward.h"

namespace moft {

class OutsideReward : public Reward {
 public:
  // `output`: its name among the source's outputs.
  OutsideReward(
      std::string name,
      std::shared_ptr<const RewardSource> source,
      std::string output,
      MissingReward missing)
      : Reward(std::move(name)),
        source_(std::move(source)),
        output_(std::move(output)),
        missing_(missing) {}

  const RewardSource* source() const override { return source_.get(); }
  bool may_be_missing() const override {
    return missing_ == MissingReward::kSkip;
  }

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  std::shared_ptr<const RewardSource> source_;
  std::string output_;
  MissingReward missing_;
};

}  // namespace moft
