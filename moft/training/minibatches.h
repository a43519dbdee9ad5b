// The updates that a step makes from its completions: passes over all of them,
// each divided into minibatches of prompts.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "moft/training/online_step.h"

namespace moft {

// Pass `pass`, which counts from 0, in order, by the algorithm's rule
// (algorithms/algorithm.h): whole_batch() where it weighs no tokens. Where
// there are several, prompts are shuffled by (options.seed, step, pass); the
// sizes differ by one at most. Token weights and normalisers are those of the
// rule's loss type (moft/algorithms/token_weights.h). Rows without a reward
// have no part, and neither have truncated ones where the rule masks them.
std::vector<Minibatch> minibatches_of(
    const Experience& experience,
    const TrainingOptions& options,
    std::int64_t pass);

}  // namespace moft
