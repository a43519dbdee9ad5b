// Updates of PPO, and what does not go with values of tokens.
#include "moft/training/algorithms/ppo.h"

#include <string>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/training/training_options.h"

namespace moft {
namespace {

UpdateRule rule_of(const TrainingOptions& options) {
  const PpoOptions& ppo = options.ppo;
  UpdateRule rule;
  rule.passes = ppo.num_ppo_epochs;
  rule.updates = ppo.num_mini_batches;
  rule.updates_key = "ppo.num_mini_batches";
  rule.clip = RatioClip{ppo.cliprange, ppo.cliprange};
  rule.loss = LossType::kBnpo;
  rule.values_tokens = true;
  rule.takes_group_rewards = false;
  return rule;
}

void check(const TrainingOptions& options, const std::string& path) {
  if (options.kl_estimator == KlEstimator::kTokenExact ||
      options.kl_estimator == KlEstimator::kSequenceK2 ||
      options.kl_estimator == KlEstimator::kSequenceK3) {
    throw_caller_error(
        "{}kl_estimator is {} but {}algorithm is ppo, whose rewards hold the "
        "log ratio of each token; give sequence, or a KL in the loss "
        "(token_direct, token_k3), or none",
        path,
        enum_name(options.kl_estimator),
        path);
  }
  if (options.value.scale == ValueScale::kLiteral) {
    throw_caller_error(
        "{}value.scale is literal but {}algorithm is ppo; give scale: reward",
        path,
        path);
  }
  const bool running =
      options.reward_standardisation == RewardStandardisation::kRunning;
  if (options.value.target == ValueTarget::kObjectives &&
      (running || !options.scalarisation.linear())) {
    throw_caller_error(
        "{}{} but {}algorithm is ppo with value.target: objectives, whose "
        "advantages are weighted sums; give value.target: reward",
        path,
        running ? std::string("reward_standardisation is running")
                : fmt::format(
                      "scalarisation.kind is {}",
                      enum_name(options.scalarisation.kind)),
        path);
  }
}

}  // namespace

constinit const AlgorithmKind kPpo = {rule_of, check};

}  // namespace moft
