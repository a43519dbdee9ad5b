// Steps against epochs, for recipes of either kind.
#include "moft/recipes/recipe_loading.h"

#include <algorithm>
#include <cmath>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

void settle_epochs(
    const SettingsNode& tree,
    const std::string& section,
    const std::string& place,
    std::optional<double>& epochs) {
  const SettingsNode* keys = tree.find(section);
  if (!keys || !keys->find("steps")) return;
  const SettingsNode* given = keys->find("epochs");
  if (given && given->kind != SettingsNode::Kind::kNull) {
    throw_caller_error(
        "{}: {}.steps and {}.epochs are both given; give one of them",
        place,
        section,
        section);
  }
  epochs.reset();
}

SettingsNode without_steps(SettingsNode tree, const std::string& section) {
  for (auto& [key, node] : tree.members) {
    if (key != section) continue;
    std::erase_if(
        node.members, [](const auto& member) { return member.key == "steps"; });
  }
  return tree;
}

std::int64_t steps_of(
    double epochs,
    std::size_t examples,
    std::int64_t per_step,
    const std::string& section) {
  constexpr double kMostSteps = 1e9;
  // 0.1 * 30 is a little more than 3: not a step of its own.
  constexpr double kRounding = 1e-9;
  const double steps =
      epochs * static_cast<double>(examples) / static_cast<double>(per_step);
  const double whole = std::ceil(steps * (1.0 - kRounding));
  if (whole > kMostSteps) {
    throw_caller_error(
        "{}.epochs is {}, which with {} examples is more than {} steps; give "
        "fewer",
        section,
        shortest_number(epochs),
        examples,
        kMostSteps);
  }
  return std::max(std::int64_t{1}, static_cast<std::int64_t>(whole));
}

}  // namespace moft
