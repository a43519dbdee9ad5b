// What has to hold between the settings of `training`.
#include "moft/training/training_options.h"

#include <string>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/saturated.h"

namespace moft {
namespace {

void check_updates_per_pass(
    const TrainingOptions& options, const std::string& path) {
  const UpdateRule rule = options.rule();
  if (rule.updates <= options.prompts_per_step) return;
  throw_caller_error(
      "{}{} is {}, but a step has {} prompts; give at most one update for "
      "each prompt",
      path,
      rule.updates_key,
      rule.updates,
      options.prompts_per_step);
}

bool normalises_in_groups(const TrainingOptions& options) {
  return options.multi_objective_aggregation ==
         RewardAggregation::kNormalizeThenSum;
}

// Several rewards: which choices go together.
void check_rewards(const TrainingOptions& options, const std::string& path) {
  const bool in_groups = normalises_in_groups(options);
  const bool running =
      options.reward_standardisation == RewardStandardisation::kRunning;
  if ((in_groups || running) && !options.scalarisation.linear()) {
    throw_caller_error(
        "{}scalarisation.kind is {} but {}{}; normalised rewards have no "
        "reference point: give kind: linear, or leave them as they are",
        path,
        enum_name(options.scalarisation.kind),
        path,
        in_groups ? "multi_objective_aggregation is normalize_then_sum"
                  : "reward_standardisation is running");
  }
  if (in_groups && running) {
    throw_caller_error(
        "{}reward_standardisation is running but "
        "{}multi_objective_aggregation is normalize_then_sum, which undoes it; "
        "give one of them",
        path,
        path);
  }
}

// Rewards that are made of those of a prompt's other completions.
void check_groups(const TrainingOptions& options, const std::string& path) {
  const bool in_groups = normalises_in_groups(options);
  if (!in_groups && !options.scalarisation.of_means()) return;
  const char* choice = in_groups
                           ? "multi_objective_aggregation is normalize_then_sum"
                           : "scalarisation.criterion is ser";
  if (options.samples_per_prompt < 2) {
    throw_caller_error(
        "{}samples_per_prompt is 1 but {}{}; give at least 2",
        path,
        path,
        choice);
  }
  if (!options.rule().takes_group_rewards) {
    throw_caller_error(
        "{}algorithm is {} but {}{}, whose rewards are compared within a "
        "prompt; give algorithm: grpo or reinforce",
        path,
        enum_name(options.algorithm),
        path,
        choice);
  }
  if (options.baseline == Baseline::kValue) {
    throw_caller_error(
        "{}baseline is value but {}{}, whose rewards are compared within a "
        "prompt; give baseline: leave_one_out or batch_mean",
        path,
        path,
        choice);
  }
}

// Every minibatch is cut into slices of one size.
void check_minibatches(
    const TrainingOptions& options, const std::string& path) {
  const UpdateRule rule = options.rule();
  const std::int64_t updates = rule.updates;
  const std::string key = rule.updates_key;
  if (updates == 1 || options.gradient_accumulation == 1) return;
  if (options.prompts_per_step % updates != 0) {
    throw_caller_error(
        "{}gradient_accumulation is {}, but {}{} is {}, which does not divide "
        "the {} prompts of a step into minibatches of one size; give a divisor "
        "of {}, or gradient_accumulation: 1",
        path,
        options.gradient_accumulation,
        path,
        key,
        updates,
        options.prompts_per_step,
        options.prompts_per_step);
  }
  options.check_slices(
      path,
      fmt::format("{}prompts_per_step / {}{}", path, path, key),
      options.prompts_per_step / updates);
}

}  // namespace

UpdateRule TrainingOptions::rule() const {
  const AlgorithmKind& kind = kind_of(algorithm);
  return kind.rule == nullptr ? UpdateRule() : kind.rule(*this);
}

void TrainingOptions::check(const std::string& path) const {
  check_updates_per_pass(*this, path);
  const AlgorithmKind& kind = kind_of(algorithm);
  if (kind.check != nullptr) kind.check(*this, path);
  check_rewards(*this, path);
  check_groups(*this, path);
  if (compares_samples() && samples_per_prompt < 2) {
    throw_caller_error(
        "{}samples_per_prompt is 1 but {}baseline is leave_one_out; give at "
        "least 2, or baseline: batch_mean",
        path,
        path);
  }
  // Each has its random streams, and a step lists them.
  constexpr std::int64_t kMostRows = 10'000'000;
  const std::int64_t rows =
      saturated_product(prompts_per_step, samples_per_prompt);
  if (rows > kMostRows) {
    throw_caller_error(
        "{}prompts_per_step times {}samples_per_prompt is {}; give at most {} "
        "completions per step",
        path,
        path,
        rows,
        kMostRows);
  }
  check_updates(path, "prompts_per_step", prompts_per_step);
  check_minibatches(*this, path);
}

double missing_eos_penalty_at(
    const TrainingOptions& options, std::int64_t step) {
  const auto rise = options.missing_eos_penalty_warmup_steps;
  if (step >= rise) return options.missing_eos_penalty;
  return options.missing_eos_penalty * static_cast<double>(step + 1) /
         static_cast<double>(rise);
}

}  // namespace moft
