// What a run of `moft dpo` needs, looked at before its first step.
#pragma once

#include "moft/recipes/dpo_recipe.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/training_models.h"
#include "moft/training/dpo/pairs.h"

namespace moft {

struct DpoPreflight {
  Findings findings;
  DpoPairs train;
  DpoPairs held_out;
  // Opened with the options' `load`, for load_training_models(). Without
  // `inputs`; empty when the model is not good.
  TrainingModels models;
};

// Looks at a recipe with resolved paths. `epochs` becomes `steps` in `recipe`
// once the pairs are known to be good.
DpoPreflight check_preference_training(
    DpoRecipe& recipe, const PreflightOptions& options);

}  // namespace moft
