// Alarms and notes from the metrics of steps.
#include "moft/training/guards.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/log.h"

namespace moft {

std::optional<std::string> Guards::check(
    const std::map<std::string, double>& metrics) {
  const auto kl = metrics.find("kl");
  const auto distinct = metrics.find("completions/distinct_ratio");
  seen_ = true;
  if (kl != metrics.end()) kl_ = kl->second;
  if (distinct != metrics.end()) distinct_ = distinct->second;
  const bool high = kl != metrics.end() && options_.kl_ceiling &&
                    !(kl_ <= *options_.kl_ceiling);
  const bool alike = distinct != metrics.end() && options_.distinct_floor &&
                     !(distinct_ >= *options_.distinct_floor);
  state_.kl_steps = high ? state_.kl_steps + 1 : 0;
  state_.collapse_steps = alike ? state_.collapse_steps + 1 : 0;
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
        "training.kl_strength, or fix the reward",
        distinct_,
        options_.distinct_floor.value_or(0.0),
        state_.collapse_steps,
        state_.collapse_steps == 1 ? "" : "s");
  }
  return std::nullopt;
}

void TieNotes::note(
    std::int64_t step, const std::map<std::string, double>& metrics) {
  const auto tied = metrics.find("frac_reward_zero_std");
  steps_ = tied != metrics.end() && tied->second == 1.0 ? steps_ + 1 : 0;
  std::int64_t said = 1;
  while (said < steps_)
    said *= 10;
  if (said != steps_) return;
  log_warning(
      "step {}: the rewards do not vary: all completions of a prompt got the "
      "same{}, so there is nothing to prefer; look at samples.jsonl, at the "
      "rewards and at their ranges",
      step,
      steps_ == 1 ? "" : fmt::format(" in each of {} steps in a row", steps_));
}

}  // namespace moft
