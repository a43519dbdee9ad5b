// Reads what a recipe says of rewards, and nothing else of it.
#include "cli/recipe_rewards.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/paths.h"
#include "moft/recipes/recipe.h"
#include "moft/rewards/length.h"

namespace moft {
namespace {

// Keys of a whole recipe that play no part here.
SettingsNode without_other_keys(SettingsNode tree) {
  const auto options = list_options<RecipeRewards>();
  std::erase_if(tree.members, [&](const SettingsMember& member) {
    return std::none_of(options.begin(), options.end(), [&](const auto& known) {
      return known.path == member.key ||
             known.path.starts_with(member.key + ".");
    });
  });
  return tree;
}

// A file of completions does not say how many tokens a model made of them.
void refuse_counts_of_tokens(const Objectives& objectives) {
  for (const auto& [name, objective] : objectives) {
    if (objective.kind().name != length_kind().name) continue;
    const auto& options = objective.chosen().get<LengthOptions>();
    if (options.unit != LengthUnit::kTokens) continue;
    throw_caller_error(
        "objective {}: counts tokens, which the input does not have; count "
        "words (unit: words) or leave the objective out",
        name);
  }
}

}  // namespace

RecipeRewards read_recipe_rewards(
    const std::string& recipe, const std::vector<std::string>& overrides) {
  const RecipeSource source = find_recipe(recipe);
  RecipeRewards rewards;
  fields_detail::read_tree(
      rewards,
      without_other_keys(parse_yaml(source.text, source.place)),
      source.place);
  for (const std::string& assignment : overrides)
    override_option(rewards, assignment);
  for_each_path(rewards, [&](const std::string& key, std::string& path) {
    path = expand_path(path, source.place + ": " + key);
    resolve_path(path, key, source);
  });
  check_options(rewards, source.place);
  refuse_counts_of_tokens(rewards.objectives);
  return rewards;
}

}  // namespace moft
