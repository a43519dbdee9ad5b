// What has to hold between the settings of `training`.
#include "moft/training/training_options.h"

#include "moft/core/errors.h"
#include "moft/core/saturated.h"

namespace moft {

void TrainingOptions::check(const std::string& path) const {
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
