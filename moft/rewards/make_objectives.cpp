// From a recipe's objectives to rewards that can be computed.
#include "moft/rewards/make_objectives.h"

#include <algorithm>
#include <map>

#include "moft/rewards/reward_context.h"

namespace moft {

ObjectiveSet make_objectives(
    const Objectives& options,
    const std::filesystem::path& base,
    at::Device device) {
  for (const auto& [name, objective] : options)
    objective.check("objectives." + name + ".");
  check_objectives(options, "objectives");
  RewardContext context(base, device);
  // Before their gates, which refer to the same objects, so that the memo of a
  // batch shares their values.
  std::map<std::string, std::shared_ptr<const Reward>> rewards;
  for (const auto& [name, objective] : options) {
    context.set_objective(name);
    rewards[name] = objective.kind().make(objective.chosen(), context);
  }
  std::vector<Objective> objectives;
  for (const auto& [name, objective] : options) {
    std::shared_ptr<const Reward> reward = rewards.at(name);
    if (const GateOptions* gate = objective.gate()) {
      reward = std::make_shared<GatedReward>(
          reward, rewards.at(gate->objective), *gate);
    }
    objectives.push_back(
        {name, std::move(reward), objective.range[0], objective.range[1]});
  }
  return ObjectiveSet(std::move(objectives));
}

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
