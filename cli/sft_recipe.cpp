#include "cli/sft_recipe.h"

#include "moft/core/errors.h"

namespace moft {

SftRecipe load_sft_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  if (recipe_kind(source) != RecipeKind::kSft) {
    throw_caller_error(
        "{}: has no section `model`, so it is no recipe of `moft sft`; use "
        "`moft train`",
        source.place);
  }
  SftRecipe recipe;
  read_options(recipe, source.text, source.place);
  for (const std::string& assignment : overrides)
    override_option(recipe, assignment);
  check_options(recipe, source.place);
  return recipe;
}

void resolve_paths(SftRecipe& recipe, const RecipeSource& source) {
  if (recipe.model.path) resolve_path(*recipe.model.path, "model.path", source);
  if (recipe.model.random) {
    resolve_path(
        recipe.model.random->tokenizer, "model.random.tokenizer", source);
  }
  resolve_path(recipe.data.train, "data.train", source);
  resolve_path(recipe.data.evaluation, "data.evaluation", source);
}

}  // namespace moft
