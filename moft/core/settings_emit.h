// Settings trees as YAML text. yaml-cpp's emitter promises neither doubles that
// read back to the same bits nor quotes that readers of YAML 1.1 need.
//
// Thread safety: pure.
#pragma once

#include <string>

#include "moft/core/settings_tree.h"

namespace moft {

// Block style with lists of scalars on one line. Text that could be mistaken
// for something else is quoted, also for readers of YAML 1.1.
// parse_yaml(emit_yaml(tree)) has the same members, items and texts.
std::string emit_yaml(const SettingsNode& tree);

// One line for messages and tables: `0.5`, `[0.9, 0.95]`, `{a: 1}`.
std::string emit_inline(const SettingsNode& tree);

}  // namespace moft
