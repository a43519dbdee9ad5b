// The recipe of `moft reward train`: everything that a classifier or a reward
// model is trained from.
//
// It reads like the recipe of `moft sft`; its section `reward` tells it from
// the others.
#pragma once

#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_header.h"
#include "moft/training/reward/options.h"

namespace moft {

struct RewardRecipe : RecipeHeader {
  RewardModelOptions model;
  RewardDataOptions data;
  RewardTrainingOptions reward;

  template <class V>
  void fields(V& v) {
    RecipeHeader::fields(v);
    v("model", model, Help{"the model to start from"});
    v("data", data, Help{"texts with labels, numbers or preferences"});
    v("reward", reward, Help{"what is learned, and the training loop"});
  }

  static KeyHints key_hints();

  void check(const std::string& path) const;
};

// As for Recipe.
RewardRecipe load_reward_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides);
void resolve_paths(RewardRecipe& recipe, const RecipeSource& source);
std::string print_recipe(const RewardRecipe& recipe);

}  // namespace moft
