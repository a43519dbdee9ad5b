// From a recipe's objectives to rewards that can be computed.
#include "moft/rewards/make_objectives.h"

#include <map>

#include "moft/rewards/gated.h"
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

}  // namespace moft
