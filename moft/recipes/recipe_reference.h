// docs/recipe-reference.md and `moft help KEY`, from the declared fields.
#pragma once

#include <string>

namespace moft {

// The page.
std::string recipe_reference();

// The fields at or below a dotted key as lines of text; empty when there is no
// such key.
std::string describe_recipe_key(const std::string& key);

}  // namespace moft
