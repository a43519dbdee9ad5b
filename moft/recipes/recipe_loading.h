// What loading a recipe of either kind has in common.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "moft/core/field_paths.h"
#include "moft/core/fields.h"
#include "moft/core/paths.h"
#include "moft/core/settings_emit.h"
#include "moft/core/settings_yaml.h"
#include "moft/recipes/recipe.h"

namespace moft {

struct RecipeText {
  const RecipeSource& source;
  const std::vector<std::string>& overrides;
  std::string section;  // of `steps` and `epochs`
};

// One source's `steps` against its `epochs`: a number of steps takes the
// place of epochs given before. CallerError for both at once.
void settle_epochs(
    const SettingsNode& tree,
    const std::string& section,
    const std::string& place,
    std::optional<double>& epochs);

// The tree without `section`.steps.
SettingsNode without_steps(SettingsNode tree, const std::string& section);

// Reads and checks; paths expanded. `epochs` belongs to `recipe`.
template <class T>
void read_recipe(
    T& recipe, const RecipeText& text, std::optional<double>& epochs) {
  const std::string& place = text.source.place;
  const SettingsNode tree = parse_yaml(text.source.text, place);
  read_options(recipe, text.source.text, place);
  settle_epochs(tree, text.section, place, epochs);
  for (const std::string& assignment : text.overrides) {
    override_option(recipe, assignment);
    settle_epochs(
        parse_assignment(assignment),
        text.section,
        assignment_place(assignment),
        epochs);
  }
  for_each_path(recipe, [&](const std::string& key, std::string& path) {
    path = expand_path(path, place + ": " + key);
  });
  check_options(recipe, place);
}

template <class T>
std::string print_without_steps(
    const T& recipe,
    const std::string& section,
    const std::optional<double>& epochs) {
  if (!epochs) return print_options(recipe);
  return emit_yaml(without_steps(fields_detail::write_value(recipe), section));
}

// Steps that `epochs` passes over `examples` take, rounded up. CallerError
// when they are more than a run may have; `section` names the key.
std::int64_t steps_of(
    double epochs,
    std::size_t examples,
    std::int64_t per_step,
    const std::string& section);

}  // namespace moft
