// The front while training: what `moft train` gives the run to call.
#pragma once

#include "moft/recipes/recipe.h"
#include "moft/rewards/objectives.h"
#include "moft/training/run.h"

namespace moft {

// None unless training.evaluation.every is given. Reads the first held-out
// prompts of the recipe at once, so that a bad file is found before training.
// The metrics are "evaluation/<weighting>/rewards/<name>", ".../kl",
// ".../value", and "evaluation/moft_value", "evaluation/hypervolume". All
// arguments must outlive what is returned.
OnEvaluate make_training_evaluation(
    const Recipe& recipe,
    SteeredPolicy& policy,
    const ObjectiveSet& objectives);

}  // namespace moft
