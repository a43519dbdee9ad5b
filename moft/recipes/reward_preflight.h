// What a run of `moft reward train` needs, looked at before its first step.
#pragma once

#include "moft/recipes/preflight.h"
#include "moft/recipes/reward_start.h"

namespace moft {

struct RewardPreflight {
  Findings findings;
  RewardStart start;  // empty when the model is not good
  RewardRows train;
  RewardRows held_out;
};

// Looks at a recipe with resolved paths. `epochs` becomes `steps` in `recipe`
// once the rows are known to be good.
RewardPreflight check_reward_training(
    RewardRecipe& recipe, const PreflightOptions& options);

}  // namespace moft
