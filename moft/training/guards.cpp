#include "moft/training/guards.h"

#include <algorithm>

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
  seen_ = true;
  kl_ = kl;
  distinct_ = distinct;
  const bool stop = state_.kl_steps >= options_.patience ||
                    state_.collapse_steps >= options_.patience;
  return stop ? alarm() : std::nullopt;
}

std::optional<std::string> Guards::alarm() const {
  if (alarmed() && !seen_) {
    return fmt::format(
        "training.guards.{} was broken for {} steps in a row when the "
        "checkpoint was saved",
        state_.kl_steps >= state_.collapse_steps ? "kl_ceiling"
                                                 : "distinct_floor",
        std::max(state_.kl_steps, state_.collapse_steps));
  }
  if (state_.kl_steps > 0 && state_.kl_steps >= state_.collapse_steps) {
    return fmt::format(
        "the mean KL is {:.4g} nats, above training.guards.kl_ceiling = {:.4g} "
        "for {} step{} in a row; lower training.optimizer.learning_rate or "
        "raise training.kl_strength",
        kl_,
        options_.kl_ceiling.value_or(0.0),
        state_.kl_steps,
        state_.kl_steps == 1 ? "" : "s");
  }
  if (state_.collapse_steps > 0) {
    return fmt::format(
        "only {:.4g} of a step's completions differ, below "
        "training.guards.distinct_floor = {:.4g} for {} step{} in a row; the "
        "policy has collapsed: lower training.optimizer.learning_rate, raise "
        "training.kl_strength, or mend the reward",
        distinct_,
        options_.distinct_floor.value_or(0.0),
        state_.collapse_steps,
        state_.collapse_steps == 1 ? "" : "s");
  }
  return std::nullopt;
}

}  // namespace moft
