// What has to hold between the settings of an update.
#include "moft/training/update_options.h"

#include "moft/core/errors.h"

namespace moft {

void UpdateOptions::check_updates(
    const std::string& path,
    const std::string& per_step,
    std::int64_t items) const {
  if (optimizer.kind == OptimizerKind::kAdafactor &&
      optimizer.weight_decay > 0.0) {
    throw_caller_error(
        "{}optimizer.weight_decay is {}, but adafactor has none; give 0, or "
        "kind: adamw",
        path,
        optimizer.weight_decay);
  }
  // With epochs the steps are known once the data are read.
  if (!epochs && schedule.warmup_steps > steps) {
    throw_caller_error(
        "{}schedule.warmup_steps is {}; give at most {}steps, which is {}",
        path,
        schedule.warmup_steps,
        path,
        steps);
  }
  if (gradient_accumulation > items) {
    throw_caller_error(
        "{}gradient_accumulation is {}; give at most {}{}, which is {}",
        path,
        gradient_accumulation,
        path,
        per_step,
        items);
  }
}

}  // namespace moft
