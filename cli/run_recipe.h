// `moft train`, `moft sft` and every other command that runs a recipe.
#pragma once

#include <memory>

#include "cli/command.h"
#include "cli/recipe_kind.h"

namespace moft {

std::unique_ptr<Command> make_recipe_runner(const RecipeKind& kind);

}  // namespace moft
