// The learning rate as a function of the step.
//
// Steps count from 0. With W warm-up steps the rate rises in a straight line,
// rate (step + 1) / W at step < W, so the first step already learns. Then
//   constant: rate
//   linear:   rate (1 - (1 - f) p)
//   cosine:   rate (f + (1 - f) (1 + cos(pi p)) / 2)   (arXiv 1608.03983, 5)
// with p = (step - W) / (total - W) in [0, 1] and f the final fraction.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "moft/algorithms/choices.h"

namespace moft {

struct LearningRateSchedule {
  ScheduleShape shape = ScheduleShape::kConstant;
  double learning_rate = 1e-3;    // the highest, >= 0
  std::int64_t warmup_steps = 0;  // 0 turns warm-up off
  std::int64_t total_steps = 1;   // >= 1; later steps stay at the end value
  double final_fraction = 0.0;    // in [0, 1]; unused by constant
};

// CallerError for options out of range or a negative step.
double learning_rate_at(const LearningRateSchedule& options, std::int64_t step);

}  // namespace moft
