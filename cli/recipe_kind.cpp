// The table of recipe kinds. A new kind is one entry here.
#include "cli/recipe_kind.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/settings_yaml.h"
#include "moft/recipes/dpo_recipe.h"
#include "moft/recipes/reward_recipe.h"
#include "moft/recipes/sft_recipe.h"

#include "cli/parser.h"

namespace moft {

std::span<const RecipeKind> recipe_kinds() {
  static const RecipeKind kKinds[] = {
      {"train",
       RunKind::kTrain,
       "Train a steerable policy from a recipe",
       "A YAML file or a shipped recipe",
       {},
       kTrainingMemoryCure,
       "## Top level\n",
       list_options<Recipe>,
       open_train_job},
      {"sft",
       RunKind::kSft,
       "Finetune a model on prompt/completion pairs",
       "A YAML file or a shipped recipe, with sections `model` and `sft`",
       {"model", "sft"},
       kSftMemoryCure,
       "# Recipes of `moft sft`\n"
       "\n"
       "Supervised finetuning has recipes of its own; their sections `model`\n"
       "and `sft` tell them from the others. `recipe show` and `recipe check`\n"
       "take all kinds.\n"
       "\n"
       "## Top level of `moft sft`\n",
       list_options<SftRecipe>,
       open_sft_job},
      {"reward train",
       RunKind::kReward,
       "Train a classifier or reward model",
       "A YAML file or a shipped recipe, with a section `reward`",
       {"reward"},
       kRewardMemoryCure,
       "# Recipes of `moft reward train`\n"
       "\n"
       "Classifiers and reward models have recipes of their own; their "
       "section\n"
       "`reward` tells them from the others.\n"
       "\n"
       "## Top level of `moft reward train`\n",
       list_options<RewardRecipe>,
       open_reward_job},
      {"dpo",
       RunKind::kDpo,
       "Train a steerable policy on pairs of answers",
       "A YAML file or a shipped recipe, with a section `dpo`",
       {"dpo"},
       kDpoMemoryCure,
       "# Recipes of `moft dpo`\n"
       "\n"
       "Preference optimisation has recipes of its own; their section `dpo`\n"
       "tells them from the others.\n"
       "\n"
       "## Top level of `moft dpo`\n",
       list_options<DpoRecipe>,
       open_dpo_job},
  };
  return kKinds;
}

const RecipeKind& kind_of(const RecipeSource& source) {
  const SettingsNode tree = parse_yaml(source.text, source.place);
  const RecipeKind* found = nullptr;
  for (const RecipeKind& kind : recipe_kinds()) {
    const bool marked = std::ranges::any_of(kind.marks, [&](const char* mark) {
      return tree.find(mark) != nullptr;
    });
    if (marked || (kind.marks.empty() && found == nullptr)) found = &kind;
  }
  return *found;
}

void add_recipe_arguments(
    Parser& parser,
    std::string& recipe,
    std::vector<std::string>& overrides,
    const char* help) {
  parser.add_option("RECIPE", recipe, help).required();
  parser.add_option(
      "OVERRIDES",
      overrides,
      "Keys to set, as dotted.key=value; the value is YAML");
}

std::vector<RecipeKeys> recipe_keys() {
  std::vector<RecipeKeys> keys;
  for (const RecipeKind& kind : recipe_kinds())
    keys.push_back({kind.introduction, kind.fields()});
  return keys;
}

void require_kind(const RecipeSource& source, std::string_view command) {
  const RecipeKind& kind = kind_of(source);
  if (kind.command == command) return;
  throw_caller_error(
      "{}: is a recipe of `moft {}`, as its sections say; give `moft {}` one "
      "of its own",
      source.place,
      kind.command,
      command);
}

}  // namespace moft
