# MOFT_SHIPPED_RECIPES: a source with the shipped recipes and the table of other
# programs' keys, so that the program runs from any directory.
file(GLOB _recipes CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/recipes/*.yaml")
file(GLOB _paper CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/recipes/paper/*.yaml")
list(APPEND _recipes ${_paper})
set(_hints "${PROJECT_SOURCE_DIR}/moft/recipes/key_hints.yaml")
set_property(DIRECTORY APPEND PROPERTY
             CMAKE_CONFIGURE_DEPENDS ${_recipes} "${_hints}")
set(_embedded "// Made by CMake from recipes/*.yaml, recipes/paper/*.yaml and
// moft/recipes/key_hints.yaml.
#include \"moft/recipes/key_hints.h\"
#include \"moft/recipes/recipe.h\"

namespace moft {

std::span<const ShippedRecipe> shipped_recipes() {
  static constexpr ShippedRecipe kRecipes[] = {
")
foreach(_recipe IN LISTS _recipes)
  file(RELATIVE_PATH _name "${PROJECT_SOURCE_DIR}/recipes" "${_recipe}")
  string(REGEX REPLACE "\\.yaml$" "" _name "${_name}")
  file(READ "${_recipe}" _text)
  string(APPEND _embedded
         "      {\"${_name}\", R\"moft_recipe(${_text})moft_recipe\"},\n")
endforeach()
file(READ "${_hints}" _text)
string(APPEND _embedded "  };
  return kRecipes;
}

std::string_view key_hints_text() {
  return R\"moft_hints(${_text})moft_hints\";
}

}  // namespace moft
")
set(MOFT_SHIPPED_RECIPES "${PROJECT_BINARY_DIR}/generated/shipped_recipes.cpp")
file(WRITE "${MOFT_SHIPPED_RECIPES}.new" "${_embedded}")
configure_file("${MOFT_SHIPPED_RECIPES}.new" "${MOFT_SHIPPED_RECIPES}" COPYONLY)
