// The objectives of a recipe, for texts that are given.
//
// Only `objectives` and the compute settings of the recipe are read, so a file
// with nothing but objectives will do.
#pragma once

#include <string>
#include <vector>

#include "moft/core/compute_options.h"
#include "moft/core/fields.h"
#include "moft/rewards/reward_options.h"

namespace moft {

struct RecipeRewards {
  ComputeOptions compute;
  Objectives objectives;

  template <class V>
  void fields(V& v) {
    compute.fields(v);
    v("objectives", objectives, Help{"the rewards by name"}, Required{});
  }
  void check(const std::string& path) const {
    check_objectives(objectives, path + "objectives");
  }
};

// `recipe`: a file or a shipped recipe. `overrides`: dotted.key=value.
// CallerError for what is wrong in them, and for an objective that counts
// tokens, which texts do not have.
RecipeRewards read_recipe_rewards(
    const std::string& recipe, const std::vector<std::string>& overrides = {});

}  // namespace moft
