// Learning rate schedules.
#include "moft/algorithms/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "moft/core/errors.h"

namespace moft {
namespace {

void check(const LearningRateSchedule& options, std::int64_t step) {
  if (!(std::isfinite(options.learning_rate) && options.learning_rate >= 0)) {
    throw_caller_error(
        "the learning rate is {}; give a finite number of at least 0",
        options.learning_rate);
  }
  if (options.warmup_steps < 0 || options.total_steps < 1 || step < 0) {
    throw_caller_error(
        "invalid schedule: step {} of {} with {} warm-up steps; give at least "
        "1 step and no negative numbers",
        step,
        options.total_steps,
        options.warmup_steps);
  }
  if (!(options.final_fraction >= 0.0 && options.final_fraction <= 1.0)) {
    throw_caller_error(
        "the final fraction of the learning rate is {}; give a number from 0 "
        "to 1",
        options.final_fraction);
  }
}

// The share of the way from the end of the warm-up to the end of the run.
double progress(const LearningRateSchedule& options, std::int64_t step) {
  if (step >= options.total_steps) return 1.0;
  const auto length = options.total_steps - options.warmup_steps;
  return static_cast<double>(step - options.warmup_steps) /
         static_cast<double>(length);
}

}  // namespace

double learning_rate_at(
    const LearningRateSchedule& options, std::int64_t step) {
  check(options, step);
  const double rate = options.learning_rate;
  if (step < options.warmup_steps) {
    return rate * static_cast<double>(step + 1) /
           static_cast<double>(options.warmup_steps);
  }
  const double rest = 1.0 - options.final_fraction;
  const double p = progress(options, step);
  switch (options.shape) {
    case ScheduleShape::kConstant:
      return rate;
    case ScheduleShape::kLinear:
      return rate * (1.0 - rest * p);
    case ScheduleShape::kCosine:
      return rate * (options.final_fraction +
                     rest * (1.0 + std::cos(std::numbers::pi * p)) / 2.0);
  }
  throw_caller_error("unknown schedule");
}

}  // namespace moft
