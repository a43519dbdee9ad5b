#include "cli/command.h"

namespace moft {

std::span<const CommandEntry> commands() {
  static constexpr CommandEntry kCommands[] = {
      {"train", "Train a steerable policy from a recipe", make_train_command},
      {"recipe", "Show, check and list recipes", make_recipe_command},
      {"version", "Print what a bug report needs", make_version_command},
  };
  return kCommands;
}

}  // namespace moft
