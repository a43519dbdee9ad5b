// Do the objectives pull in one direction? The cosine between the policy
// gradients of the single objectives, on a step's completions.
//
// Thread safety: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"
#include "moft/training/experience.h"
#include "moft/training/trainer.h"
#include "moft/training/training_options.h"

namespace moft {

// Adds "gradient_cosine/<a>,<b>" to `metrics` for every pair of `names`, the
// objectives: of the gradients of -mean A_i log pi(y|x) over everything that is
// trained, A_i being objective i's mapped reward minus its baseline (that of
// leave_one_out where the training compares samples, else the batch's mean),
// without KL and scale. Pairs with an objective whose rewards tie are left out.
// With keep_gradient the policy's conditioning holds the step's gradient, of
// the whole batch, and keeps it bit for bit. One more pass per objective, and
// memory for m + 1 gradients.
void report_gradient_cosines(
    SteeredPolicy& policy,
    const Experience& experience,
    const std::vector<std::string>& names,
    const TrainingOptions& options,
    bool keep_gradient,
    StepTimes& times,
    std::map<std::string, double>& metrics);

}  // namespace moft
