// log pi(y|x) - log ref(y|x) of a rollout, and what else its scoring passes
// tell.
//
// Thread safety: one thread.
#pragma once

#include <optional>

#include "moft/generation/steered_policy.h"
#include "moft/training/experience.h"
#include "moft/training/first_pass.h"
#include "moft/training/trainer.h"

namespace moft {

// Reads options.kl_estimator and what plan_step() reads. `slices`: only the
// rows of these slices (step_parts.h) are scored, the others are 0; none: all.
// REQUIRES those of `first`.
LogRatios score_log_ratios(
    SteeredPolicy& policy,
    const Draw& draw,
    const Rollout& rollout,
    const TrainingOptions& options,
    StepTimes& times,
    FirstPass* first = nullptr,
    const std::optional<ItemRange>& slices = std::nullopt);

}  // namespace moft
