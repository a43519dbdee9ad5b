// docs/recipe-reference.md and `moft help KEY`, from the declared fields.
#include "moft/recipes/recipe_reference.h"

#include <fmt/format.h>

#include "moft/core/text.h"

namespace moft {

namespace {

// A table cell: '|' would end it.
std::string cell(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '|') {
      result += "\\|";
    } else {
      result += c;
    }
  }
  return result;
}

std::string parent_of(const std::string& path) {
  std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string shown_default(const FieldDescription& field) {
  if (field.required) return "required";
  if (field.default_value.empty()) return "null";
  bool empty = field.default_value == "\"\"" || field.default_value == "{}" ||
               field.default_value == "[]";
  return empty ? "empty" : field.default_value;
}

std::string meaning(const FieldDescription& field) {
  std::string text = field.help;
  if (!field.allowed.empty()) text += "; " + field.allowed;
  if (!field.unit.empty()) text += " [" + field.unit + "]";
  return text;
}

std::string table_row(const FieldDescription& field) {
  return fmt::format(
      "| `{}` | {} | `{}` | {} |\n",
      field.path,
      cell(field.type),
      cell(shown_default(field)),
      cell(meaning(field)));
}

constexpr std::string_view kTableHead =
    "| key | type | default | meaning |\n"
    "| --- | --- | --- | --- |\n";

// A section's own fields as a table, then each section inside it.
void add_section(
    const std::vector<FieldDescription>& fields,
    const FieldDescription* section,
    std::string& page) {
  std::string prefix = section ? section->path : "";
  if (section && section->type.starts_with("map")) prefix += ".<name>";
  if (section && section->type.starts_with("list")) prefix += ".<number>";
  if (section) {
    page += fmt::format("\n## {}\n\n{}.\n", prefix, section->help);
    page[page.size() - section->help.size() - 2] = static_cast<char>(
        std::toupper(section->help.empty() ? '.' : section->help[0]));
  }
  std::string rows;
  for (const FieldDescription& field : fields) {
    bool here = parent_of(field.path) == prefix && !field.is_section;
    if (here) rows += table_row(field);
  }
  if (!rows.empty()) page += "\n" + std::string(kTableHead) + rows;
  for (const FieldDescription& field : fields) {
    bool here = parent_of(field.path) == prefix && field.is_section;
    if (here) add_section(fields, &field, page);
  }
}

}  // namespace

std::string recipe_reference(const std::vector<RecipeKeys>& kinds) {
  std::string page =
      "# Recipe reference\n"
      "\n"
      "<!-- Made by `moft recipe reference`; do not edit by hand. -->\n"
      "\n"
      "A recipe is one YAML file. Every key has the default below, an unknown\n"
      "key is an error, and each can be set on the command line as\n"
      "`dotted.key=value` (the value is YAML). `<name>` stands for a name of\n"
      "your own. `moft recipe show RECIPE` prints a recipe with all defaults,\n"
      "`moft recipe check RECIPE` checks it and the files that it names.\n"
      "\n"
      "Paths that are read are taken from the current directory and, when\n"
      "nothing is there, from the recipe's own.\n";
  for (const RecipeKeys& kind : kinds) {
    page += "\n" + kind.introduction;
    add_section(kind.fields, nullptr, page);
  }
  return page;
}

namespace {

std::string describe_key(
    const std::vector<FieldDescription>& fields, const std::string& key) {
  std::string text;
  for (const FieldDescription& field : fields) {
    bool inside = field.path == key || field.path.starts_with(key + ".");
    if (!inside) continue;
    if (field.is_section) {
      text += fmt::format("{}\n    {}\n", field.path, field.help);
      continue;
    }
    text += fmt::format(
        "{}: {} (default: {})\n    {}\n",
        field.path,
        field.type,
        shown_default(field),
        meaning(field));
  }
  return text;
}

}  // namespace

std::string describe_recipe_key(
    const std::vector<RecipeKeys>& kinds, const std::string& key) {
  for (const RecipeKeys& kind : kinds) {
    const std::string text = describe_key(kind.fields, key);
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace moft
