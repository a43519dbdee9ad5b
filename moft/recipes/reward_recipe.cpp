// Reading a recipe of `moft reward train`.
#include "moft/recipes/reward_recipe.h"

#include "moft/recipes/key_hints.h"
#include "moft/recipes/recipe_loading.h"

namespace moft {

void RewardRecipe::check(const std::string&) const {
  check_reward_sections(data, reward);
}

RewardRecipe load_reward_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  RewardRecipe recipe;
  read_recipe(recipe, {source, overrides, "reward"}, recipe.reward.epochs);
  return recipe;
}

std::string print_recipe(const RewardRecipe& recipe) {
  return print_without_steps(recipe, "reward", recipe.reward.epochs);
}

KeyHints RewardRecipe::key_hints() {
  return reward_key_hints();
}

void resolve_paths(RewardRecipe& recipe, const RecipeSource& source) {
  resolve_path(recipe.model.path, "model.path", source);
  resolve_files(recipe.data.train, "data.train", source);
  resolve_files(recipe.data.evaluation, "data.evaluation", source);
}

}  // namespace moft
