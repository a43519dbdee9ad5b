// Reading a recipe of `moft sft`.
#include "moft/recipes/sft_recipe.h"

#include "moft/core/errors.h"
#include "moft/recipes/key_hints.h"
#include "moft/recipes/recipe_loading.h"

namespace moft {

SftRecipe load_sft_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  SftRecipe recipe;
  read_recipe(recipe, {source, overrides, "sft"}, recipe.sft.epochs);
  return recipe;
}

std::string print_recipe(const SftRecipe& recipe) {
  return print_without_steps(recipe, "sft", recipe.sft.epochs);
}

KeyHints SftRecipe::key_hints() {
  return sft_key_hints();
}

void resolve_paths(SftRecipe& recipe, const RecipeSource& source) {
  if (recipe.model.path) resolve_path(*recipe.model.path, "model.path", source);
  if (recipe.model.adapter)
    resolve_path(*recipe.model.adapter, "model.adapter", source);
  if (recipe.model.random) {
    resolve_path(
        recipe.model.random->tokenizer, "model.random.tokenizer", source);
  }
  resolve_files(recipe.data.train, "data.train", source);
  resolve_files(recipe.data.evaluation, "data.evaluation", source);
  resolve_chat_template(recipe.data, source);
}

}  // namespace moft
