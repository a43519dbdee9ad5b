// What does not go with preferences of whole completions.
#include "moft/training/algorithms/online_dpo.h"

#include <string>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/training/training_options.h"

namespace moft {
namespace {

UpdateRule rule_of(const TrainingOptions&) {
  UpdateRule rule;
  rule.takes_group_rewards = false;
  return rule;
}

// Preferences are of the weighted sum of mapped rewards.
void check(const TrainingOptions& options, const std::string& path) {
  if (options.kl_estimator != KlEstimator::kSequence) {
    throw_caller_error(
        "{}kl_estimator is {} but {}algorithm is online_dpo, whose loss is of "
        "whole completions; give sequence",
        path,
        enum_name(options.kl_estimator),
        path);
  }
  if (options.baseline != Baseline::kLeaveOneOut) {
    throw_caller_error(
        "{}baseline is {} but {}algorithm is online_dpo, which compares "
        "completions of a prompt; leave it out",
        path,
        enum_name(options.baseline),
        path);
  }
  const bool linear = options.scalarisation.linear();
  if (!linear ||
      options.reward_standardisation == RewardStandardisation::kRunning) {
    throw_caller_error(
        "{}{} but {}algorithm is online_dpo, whose preferences are of the "
        "weighted sum of the rewards; leave it out",
        path,
        linear ? std::string("reward_standardisation is running")
               : fmt::format(
                     "scalarisation.kind is {}",
                     enum_name(options.scalarisation.kind)),
        path);
  }
  if (options.kl_strength > 0.0) return;
  throw_caller_error(
      "{}kl_strength is 0 but {}algorithm is online_dpo, whose beta is alpha / "
      "(1 - alpha); give a number above 0",
      path,
      path);
}

}  // namespace

constinit const AlgorithmKind kOnlineDpo = {rule_of, check};

}  // namespace moft
