// The updates that a step makes from its completions: passes over all of them,
// each divided into minibatches of prompts.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "moft/training/online_step.h"

namespace moft {

// Pass `pass`, which counts from 0, in order. REINFORCE and online DPO have
// one, whole_batch. Where there are several, prompts are shuffled by (options.seed,
// step, pass); the sizes differ by one at most. Token weights and normalisers
// are those of options.grpo.loss_type (algorithms/token_weights.h); PPO's are
// bnpo's, a mean over the minibatch's tokens. Rows without a reward have no
// part, and neither have truncated ones under mask_truncated_completions.
std::vector<Minibatch> minibatches_of(
    const Experience& experience,
    const TrainingOptions& options,
    std::int64_t pass);

}  // namespace moft
