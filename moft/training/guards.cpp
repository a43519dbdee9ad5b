#include "moft/training/guards.h"

#include <fmt/format.h>

namespace moft {

std::optional<std::string> Guards::check(
    const std::map<std::string, double>& metrics) {
  const double kl = metrics.at("kl");
  const double distinct = metrics.at("completions/distinct_ratio");
  const bool high = options_.kl_ceiling && !(kl <= *options_.kl_ceiling);
  const bool alike =
      options_.distinct_floor && !(distinct >= *options_.distinct_floor);
  state_.kl_steps = high ? state_.kl_steps + 1 : 0;
  state_.collapse_steps = alike ? state_.collapse_steps + 1 : 0;
  if (state_.kl_steps >= options_.patience) {
    return fmt::format(
        "the mean KL is {:.4g} nats, above training.guards.kl_ceiling = {:.4g} "
        "for {} steps in a row; lower training.optimizer.learning_rate or "
        "raise training.kl_strength",
        kl,
        *options_.kl_ceiling,
        state_.kl_steps);
  }
  if (state_.collapse_steps >= options_.patience) {
    return fmt::format(
        "only {:.4g} of a step's completions differ, below "
        "training.guards.distinct_floor = {:.4g} for {} steps in a row; the "
        "policy has collapsed: lower training.optimizer.learning_rate, raise "
        "training.kl_strength, or mend the reward",
        distinct,
        *options_.distinct_floor,
        state_.collapse_steps);
  }
  return std::nullopt;
}

}  // namespace moft
