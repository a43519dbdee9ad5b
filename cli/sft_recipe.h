// The recipe of `moft sft`: everything that a finetuning run is made from.
//
// It reads like the recipe of `moft train` and shares its sections' parts; the
// sections `model` and `sft` tell the two apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moft/core/compute_options.h"
#include "moft/core/fields.h"
#include "moft/training/sft/options.h"

#include "cli/recipe.h"

namespace moft {

struct SftRecipe {
  std::int64_t format_version = kRecipeFormatVersion;
  std::string name;
  std::string description;
  std::string output;
  ComputeOptions compute;  // its fields stand at the top level
  SftModelOptions model;
  SftDataOptions data;
  SftOptions sft;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of the recipe's format"},
      between(1, static_cast<double>(kRecipeFormatVersion)));
    v("name", name, Help{"the name of the run"}, Required{});
    v("description", description, Help{"one line on what the recipe is for"});
    v("output",
      output,
      Help{"the run directory; made when it does not exist"},
      Required{});
    compute.fields(v);
    v("model", model, Help{"the model to finetune: one of two kinds"});
    v("data", data, Help{"pairs of prompt and completion"});
    v("sft", sft, Help{"the finetuning loop"});
  }
};

// As load_recipe and resolve_paths.
SftRecipe load_sft_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides);
void resolve_paths(SftRecipe& recipe, const RecipeSource& source);

}  // namespace moft
