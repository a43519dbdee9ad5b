// What concerns optimizer and schedule at once, for every loop that has both.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "moft/core/errors.h"
#include "moft/training/optimizer_options.h"

namespace moft {

inline constexpr std::int64_t kUnknownSteps =
    std::numeric_limits<std::int64_t>::max();

// CallerError for weight decay that the optimizer does not have, or a warm-up
// longer than the run. `path` stands before the keys in messages.
inline void check_update(
    const OptimizerOptions& optimizer,
    const ScheduleOptions& schedule,
    std::int64_t steps,
    const std::string& path) {
  if (optimizer.kind == OptimizerKind::kAdafactor &&
      optimizer.weight_decay > 0.0) {
    throw_caller_error(
        "{}optimizer.weight_decay is {}, but adafactor has none; give 0, or "
        "kind: adamw",
        path,
        optimizer.weight_decay);
  }
  if (schedule.warmup_steps > steps) {
    throw_caller_error(
        "{}schedule.warmup_steps is {}; give at most {}steps, which is {}",
        path,
        schedule.warmup_steps,
        path,
        steps);
  }
}

}  // namespace moft
