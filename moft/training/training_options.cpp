// What has to hold between the settings of `training`.
#include "moft/training/training_options.h"

#include "moft/core/errors.h"
#include "moft/core/saturated.h"

namespace moft {
namespace {

void check_online_dpo(const TrainingOptions& options, const std::string& path) {
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
  if (options.kl_strength > 0.0) return;
  throw_caller_error(
      "{}kl_strength is 0 but {}algorithm is online_dpo, whose beta is alpha / "
      "(1 - alpha); give a number above 0",
      path,
      path);
}

}  // namespace

void TrainingOptions::check(const std::string& path) const {
  if (algorithm == Algorithm::kOnlineDpo) check_online_dpo(*this, path);
  if (baseline == Baseline::kLeaveOneOut && samples_per_prompt < 2) {
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
}

double missing_eos_penalty_at(
    const TrainingOptions& options, std::int64_t step) {
  const auto rise = options.missing_eos_penalty_warmup_steps;
  if (step >= rise) return options.missing_eos_penalty;
  return options.missing_eos_penalty * static_cast<double>(step + 1) /
         static_cast<double>(rise);
}

}  // namespace moft
