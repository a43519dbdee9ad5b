// The recipe of `moft sft`: everything that a finetuning run is made from.
//
// It reads like the recipe of `moft train` and shares its sections' parts; the
// sections `model` and `sft` tell the two apart.
#pragma once

#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_header.h"
#include "moft/training/sft/options.h"

namespace moft {

struct SftRecipe : RecipeHeader {
  SftModelOptions model;
  SftDataOptions data;
  SftOptions sft;

  template <class V>
  void fields(V& v) {
    RecipeHeader::fields(v);
    v("model", model, Help{"the model to finetune: one of two kinds"});
    v("data", data, Help{"pairs of prompt and completion"});
    v("sft", sft, Help{"the finetuning loop"});
  }

  static KeyHints key_hints();
};

// As for Recipe.
SftRecipe load_sft_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides);
void resolve_paths(SftRecipe& recipe, const RecipeSource& source);
std::string print_recipe(const SftRecipe& recipe);

}  // namespace moft
