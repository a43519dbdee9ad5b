// Where a recipe's training starts: a model, or the copies of a trained policy.
#pragma once

#include <string>

#include "cli/recipe.h"
#include "cli/sft_recipe.h"

namespace moft {

class SteeredPolicy;

// CallerError where a key that wants a model names a trained policy, of which
// only the untrained base would be read; the message has the cure. Paths as
// resolve_paths() left them.
void refuse_policies(const Recipe& recipe);
void refuse_policies(const SftRecipe& recipe);

// policy.start, when there is one, becomes the policy directory that it means.
// CallerError when no trained policy is there.
void resolve_start(Recipe& recipe, const RecipeSource& source);

// Takes over the copies and says which.
void start_policy(SteeredPolicy& policy, const std::string& start);

}  // namespace moft
