#include "cli/flags.h"

#include "moft/core/settings_yaml.h"

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
  tree.members.push_back({field.path, std::move(text)});
  return tree;
}

void add_flags_of(
    Parser& parser,
    const std::vector<FieldDescription>& fields,
    const ReadFlag& read) {
  for (const FieldDescription& field : fields) {
    const bool inside_section = field.path.find('.') != std::string::npos;
    if (field.is_section || inside_section) continue;
    const std::string flag = flag_name(field.path);
    const auto take = [read, field, flag](const std::string& value) {
      read(flag_tree(field, value), flag);
    };
    if (field.type == "true | false") {
      parser.add_flag_to(
          flag, [take] { take("true"); }, flag_help(field));
      continue;
    }
    const bool choice = field.type.find('|') != std::string::npos;
    parser.add_option_to(flag, take, flag_help(field))
        .type_name((choice ? "{" : "<") + field.type + (choice ? "}" : ">"));
  }
}

}  // namespace moft
