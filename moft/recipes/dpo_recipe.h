// The recipe of `moft dpo`: a policy for all weightings from pairs of answers.
//
// It reads like the recipe of `moft train`: the same sections, but objectives
// say where a row has its scores, and `dpo` is in the place of `training`. That
// section tells it from the others.
#pragma once

#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_header.h"
#include "moft/training/dpo/options.h"

namespace moft {

struct DpoRecipe : RecipeHeader {
  PolicyOptions policy;
  DpoDataOptions data;
  PreferenceObjectives objectives;
  WeightingOptions weightings;
  ConditioningOptions conditioning;
  DpoOptions dpo;

  template <class V>
  void fields(V& v) {
    RecipeHeader::fields(v);
    v("policy", policy, Help{"the model to start from"});
    v("data", data, Help{"pairs of answers and how rows become prompts"});
    v("objectives",
      objectives,
      Help{"by name, where a row has the scores of its two answers"});
    v("weightings", weightings, Help{"how weightings are drawn in training"});
    v("conditioning", conditioning, Help{"what a steering acts on"});
    v("dpo", dpo, Help{"the loss and the training loop"});
  }

  static KeyHints key_hints();

  void check(const std::string& path) const;
  std::vector<std::string> objective_names() const;
  // The recipe of `moft train` with the same policy, prompts, names, ranges and
  // conditioning, for what both do alike. Its objectives have no reward.
  Recipe as_train() const;
};

// As for Recipe.
DpoRecipe load_dpo_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides);
void resolve_paths(DpoRecipe& recipe, const RecipeSource& source);
std::string print_recipe(const DpoRecipe& recipe);

}  // namespace moft
