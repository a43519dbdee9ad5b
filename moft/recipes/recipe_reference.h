// docs/recipe-reference.md and `moft help KEY`, from the declared fields.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

// The keys of one kind of recipe.
struct RecipeKeys {
  std::string introduction;  // Markdown
  std::vector<FieldDescription> fields;
};

// The page, in the order of `kinds`.
std::string recipe_reference(const std::vector<RecipeKeys>& kinds);

// The fields at or below a dotted key as lines of text, of the first kind that
// has such a key; empty when none has.
std::string describe_recipe_key(
    const std::vector<RecipeKeys>& kinds, const std::string& key);

}  // namespace moft
