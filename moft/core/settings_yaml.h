// Settings trees from YAML text, read event by event: duplicate keys, line
// numbers and limits (settings_tree.h) need more than yaml-cpp's own tree.
//
// Thread safety: pure.
#pragma once

#include <string>
#include <string_view>

#include "moft/core/settings_tree.h"

namespace moft {

// One YAML document. An empty one is an empty map. Anchors and aliases are
// understood; tags, several documents and keys that are not scalars are not.
// `file` is only used in messages.
SettingsNode parse_yaml(std::string_view text, const std::string& file);

// "a.b.c=value": maps for a and b that are `partial`, the value as YAML.
SettingsNode parse_assignment(const std::string& assignment);

// How messages name an override: "override 'a.b.c=value'".
std::string assignment_place(const std::string& assignment);

}  // namespace moft
