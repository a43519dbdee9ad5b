// Reading a recipe of `moft dpo`.
#include "moft/recipes/dpo_recipe.h"

#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/errors.h"
#include "moft/recipes/key_hints.h"
#include "moft/recipes/recipe_loading.h"
#include "moft/recipes/start.h"

namespace moft {

void DpoRecipe::check(const std::string& path) const {
  check_preference_objectives(objectives, path + "objectives");
  make_weighting_sampler(weightings, objective_names(), path + "weightings");
  const KlRange range = kl_range(conditioning, dpo.kl_strength);
  range.check(dpo.kl_strength, path + "dpo.kl_strength");
  if (dpo.kl_sampler != AlphaDistribution::kFixed)
    AlphaSampler(dpo.kl_sampler, range);
  if (conditioning.prompt) {
    prompt_names(
        *conditioning.prompt, objective_names(), path + "conditioning.prompt");
  }
  if (conditioning.steered_set == SteeredSet::kNone && !conditioning.prompt &&
      objectives.size() > 1) {
    throw_caller_error(
        "{}conditioning.steered_set is none and there is no "
        "{}conditioning.prompt, so nothing would carry the weighting; give "
        "one of the two",
        path,
        path);
  }
}

std::vector<std::string> DpoRecipe::objective_names() const {
  std::vector<std::string> names;
  for (const auto& entry : objectives)
    names.push_back(entry.first);
  return names;
}

Recipe DpoRecipe::as_train() const {
  Recipe recipe;
  static_cast<RecipeHeader&>(recipe) = *this;
  recipe.policy = policy;
  static_cast<PromptOptions&>(recipe.data) = data;
  recipe.data.train = data.train;
  recipe.data.evaluation = data.evaluation;
  recipe.data.max_prompt_tokens = data.max_prompt_tokens;
  recipe.data.shuffle = data.shuffle;
  for (const auto& [key, objective] : objectives)
    recipe.objectives[key].range = objective.range;
  recipe.weightings = weightings;
  recipe.conditioning = conditioning;
  recipe.training = dpo.as_training();
  return recipe;
}

DpoRecipe load_dpo_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  DpoRecipe recipe;
  read_recipe(recipe, {source, overrides, "dpo"}, recipe.dpo.epochs);
  return recipe;
}

std::string print_recipe(const DpoRecipe& recipe) {
  return print_without_steps(recipe, "dpo", recipe.dpo.epochs);
}

KeyHints DpoRecipe::key_hints() {
  return dpo_key_hints();
}

void resolve_paths(DpoRecipe& recipe, const RecipeSource& source) {
  resolve_path(recipe.policy.model, "policy.model", source);
  if (recipe.policy.adapter)
    resolve_path(*recipe.policy.adapter, "policy.adapter", source);
  resolve_files(recipe.data.train, "data.train", source);
  resolve_files(recipe.data.evaluation, "data.evaluation", source);
  resolve_chat_template(recipe.data, source);
  Recipe train = recipe.as_train();
  refuse_policies(train);
  resolve_start(train, source);
  recipe.policy.start = train.policy.start;
}

}  // namespace moft
