// The rates of a step on this machine, measured with the recipe's own model,
// data and rewards: some short steps and some long ones of one rank's share.
//
// Answers of a quarter of training.max_new_tokens, then whole ones: what grows
// with the answers is told from what does not. The steps learn as training
// does, and nothing is written.
//
// Errors: CallerError and WorldError, as training throws them.
// Thread safety: one thread.
#pragma once

#include <cstdint>

#include "moft/models/load.h"
#include "moft/recipes/preflight.h"
#include "moft/training/step_work.h"

namespace moft {

struct MeasuredRates {
  StepRates rates;      // of one process alone: sending takes none
  MeanLengths lengths;  // of the whole answers
  std::int64_t steps = 0;
  double seconds = 0.0;
};

// `recipe`: as check_training() left it, with one rank's prompts and parts;
// `ready`: what that found, without problems. Takes about `seconds`, and one
// whole step at least.
MeasuredRates measure_rates(
    const Recipe& recipe,
    TrainPreflight ready,
    const LoadOptions& load,
    double seconds);

}  // namespace moft
