// A settings file as a tree: what YAML, JSON and `key=value` have in common.
//
// core/fields.h reads options structs from such a tree and writes them to one,
// so every source of settings is checked by the same code and complains in the
// same words. Each node remembers the line it came from.
//
// Hostile input is bounded: kMaxSettingsBytes of text, kMaxSettingsDepth
// levels, kMaxSettingsNodes nodes after aliases are copied out. Everything
// that breaks a rule is a CallerError that begins with `file:line:`.
//
// Thread safety: plain values; the functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace moft {

inline constexpr std::size_t kMaxSettingsBytes = std::size_t{1} << 20;
inline constexpr int kMaxSettingsDepth = 32;
inline constexpr std::size_t kMaxSettingsNodes = 100'000;

struct SettingsMember;  // not std::pair, which would need SettingsNode complete

struct SettingsNode {
  enum class Kind {
    kNull,
    kPlain,  // an unquoted YAML scalar: its type is the reader's to decide
    kBool,
    kInteger,
    kReal,
    kString,
    kList,
    kMap,
  };

  Kind kind = Kind::kNull;
  std::string text;                 // of a scalar
  std::vector<SettingsNode> items;  // of a list
  // Entries of a map, in the order of the file. Keys are unique.
  std::vector<SettingsMember> members;
  int line = 0;  // counted from 1; 0: not from a file
  // Made from the path of an override: what it does not name stays as it is.
  bool partial = false;

  const SettingsNode* find(std::string_view key) const;
  bool is_scalar() const;
};

struct SettingsMember {
  std::string key;
  SettingsNode value;
};

SettingsNode tree_from_json(
    const nlohmann::json& json, const std::string& place);

nlohmann::ordered_json emit_json(const SettingsNode& tree);

}  // namespace moft
