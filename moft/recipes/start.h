// Where a recipe's training starts: a model, or the copies of a trained policy.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "moft/models/model_builder.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/reward_recipe.h"
#include "moft/recipes/sft_recipe.h"

namespace moft {

class SteeredPolicy;
struct LoadedModel;

// CallerError where a key that wants a model names a trained policy, of which
// only the untrained base would be read; the message has the cure. Paths as
// resolve_paths() left them.
void refuse_policies(const Recipe& recipe);
void refuse_policies(const SftRecipe& recipe);
void refuse_policies(const RewardRecipe& recipe);

// policy.start, when there is one, becomes the policy directory that it means,
// or the adapters' directories. CallerError when there is neither.
void resolve_start(Recipe& recipe, const RecipeSource& source);

// How the recipe's base is read: with policy.adapter.
LoadOptions base_options(const Recipe& recipe, const LoadOptions& options);

// The files that policy.start means, by the recipe's key.
std::map<std::string, std::filesystem::path> start_files(const Recipe& recipe);

// CallerError where policy.start does not fit the recipe and its base, or its
// file of copies is damaged; as start_policy(), which also reads the numbers.
void check_start(const Recipe& recipe, const LoadedModel& base);

// Takes over the copies and says which.
void start_policy(SteeredPolicy& policy, const PolicyOptions& options);

}  // namespace moft
