// Line 5 of CLP's algorithm 1: y ~ pi(.|x; alpha, w), exact sampling at the
// policy's temperature, no truncation.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "moft/generation/steered_policy.h"
#include "moft/training/experience.h"
#include "moft/training/first_pass.h"
#include "moft/training/trainer.h"

namespace moft {

// Called for each row whose completion is finished, while others are still
// sampled.
using OnCompletion = std::function<void(
    std::size_t row, const Generation&, const std::string& text)>;

struct RolloutOptions {
  std::uint64_t seed = 1;
  std::int64_t max_new_tokens = 32;
  // The most distinct steerings that a draw can hold, on which depends how they
  // are applied; 0: one per prompt.
  std::int64_t steerings = 0;
  // Rows that are sampled together; 0: all. On the CPU the tokens are the same
  // whatever it is: every row has a random stream of its own.
  std::int64_t rows_at_once = 0;
};

// Adds its seconds to times.rollout.
Rollout roll_out(
    SteeredPolicy& policy,
    const Draw& draw,
    const RolloutOptions& options,
    StepTimes& times,
    FirstPass* first = nullptr,
    const OnCompletion& on_completion = nullptr);

}  // namespace moft
