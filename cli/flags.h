// Command-line options from an options struct that is declared once.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "moft/core/fields.h"

namespace moft {

// "max_new_tokens" -> "--max-new-tokens".
std::string flag_name(const std::string& field);

// The help of a flag: what it is for, its unit, what is allowed, its default.
std::string flag_help(const FieldDescription& field);

// The value of a flag as a settings tree with that one field. A text is taken
// as it stands, everything else is read as YAML.
SettingsNode flag_tree(const FieldDescription& field, const std::string& value);

// One option per field of T that is no section: `--max-new-tokens 28`, and
// `--flag` alone for a boolean. Bad values are CallerErrors in the words of
// fields.h. `options` must outlive the parsing; call check_options afterwards.
template <class T>
void add_flags(CLI::App& app, T& options) {
  for (const FieldDescription& field : list_options<T>()) {
    bool inside_section = field.path.find('.') != std::string::npos;
    if (field.is_section || inside_section) continue;
    std::string flag = flag_name(field.path);
    auto take = [&options, field, flag](const std::string& value) {
      fields_detail::read_tree(options, flag_tree(field, value), flag);
    };
    if (field.type == "true | false") {
      app.add_flag_function(
             flag, [take](std::int64_t) { take("true"); }, flag_help(field))
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      app.add_option_function<std::string>(flag, take, flag_help(field))
          ->type_name(
              field.type.find('|') != std::string::npos
                  ? "{" + field.type + "}"
                  : "<" + field.type + ">");
    }
  }
}

}  // namespace moft
