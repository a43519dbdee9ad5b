#include "cli/flags.h"

namespace moft {

std::string flag_name(const std::string& field) {
  std::string name = "--" + field;
  for (char& c : name)
    c = c == '_' ? '-' : c;
  return name;
}

std::string flag_help(const FieldDescription& field) {
  std::string help = field.help;
  if (!field.unit.empty()) help += " [" + field.unit + "]";
  if (!field.allowed.empty()) help += "; " + field.allowed;
  if (field.required) return help + " (required)";
  bool absent = field.default_value.empty() || field.default_value == "null";
  return absent ? help : help + " (default: " + field.default_value + ")";
}

SettingsNode flag_tree(
    const FieldDescription& field, const std::string& value) {
  if (field.type != "text") return parse_assignment(field.path + "=" + value);
  SettingsNode text;
  text.kind = SettingsNode::Kind::kString;
  text.text = value;
  SettingsNode tree;
  tree.kind = SettingsNode::Kind::kMap;
  tree.members.emplace_back(field.path, std::move(text));
  return tree;
}

}  // namespace moft
