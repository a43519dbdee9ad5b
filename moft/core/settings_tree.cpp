// The node, and trees from and to JSON.
#include "moft/core/settings_tree.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

namespace {

using Kind = SettingsNode::Kind;

SettingsNode node_from_json(
    const nlohmann::json& json,
    const std::string& place,
    int depth,
    std::size_t& nodes) {
  if (depth > kMaxSettingsDepth) {
    throw_caller_error(
        "{}: settings are nested over {} levels", place, kMaxSettingsDepth);
  }
  if (++nodes > kMaxSettingsNodes) {
    throw_caller_error(
        "{}: settings have over {} values", place, kMaxSettingsNodes);
  }
  SettingsNode node;
  if (json.is_object()) {
    node.kind = Kind::kMap;
    for (const auto& [key, value] : json.items()) {
      node.members.push_back(
          {key, node_from_json(value, place, depth + 1, nodes)});
    }
  } else if (json.is_array()) {
    node.kind = Kind::kList;
    for (const nlohmann::json& value : json) {
      node.items.push_back(node_from_json(value, place, depth + 1, nodes));
    }
  } else if (json.is_string()) {
    node.kind = Kind::kString;
    node.text = json.get<std::string>();
  } else if (!json.is_null()) {
    node.kind = json.is_boolean()        ? Kind::kBool
                : json.is_number_float() ? Kind::kReal
                                         : Kind::kInteger;
    node.text = json.dump();
  }
  return node;
}

}  // namespace

const SettingsNode* SettingsNode::find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool SettingsNode::is_scalar() const {
  return kind != Kind::kList && kind != Kind::kMap;
}

SettingsNode tree_from_json(
    const nlohmann::json& json, const std::string& place) {
  std::size_t nodes = 0;
  return node_from_json(json, place, 0, nodes);
}

nlohmann::ordered_json emit_json(const SettingsNode& tree) {
  switch (tree.kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kBool:
      return tree.text == "true";
    case Kind::kInteger:
      if (auto value = parse_integer(tree.text)) return *value;
      return tree.text;
    case Kind::kReal:
      if (auto value = parse_real(tree.text)) return *value;
      return tree.text;
    case Kind::kPlain:
    case Kind::kString:
      return tree.text;
    case Kind::kList: {
      nlohmann::ordered_json list = nlohmann::ordered_json::array();
      for (const SettingsNode& item : tree.items) {
        list.push_back(emit_json(item));
      }
      return list;
    }
    case Kind::kMap:
      break;
  }
  nlohmann::ordered_json map = nlohmann::ordered_json::object();
  for (const auto& [key, value] : tree.members)
    map[key] = emit_json(value);
  return map;
}

}  // namespace moft
