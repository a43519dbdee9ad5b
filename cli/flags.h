// Command-line options from an options struct that is declared once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "moft/core/fields.h"

#include "cli/parser.h"

namespace moft {

// "max_new_tokens" -> "--max-new-tokens".
std::string flag_name(const std::string& field);

// The help of a flag: what it is for, its unit, what is allowed, its default.
std::string flag_help(const FieldDescription& field);

// The value of a flag as a settings tree with that one field. A text is taken
// verbatim, everything else is read as YAML.
SettingsNode flag_tree(const FieldDescription& field, const std::string& value);

// The half of the function below that does not depend on the struct: `read` is
// called with the tree of each flag that is given, and the flag's name.
using ReadFlag =
    std::function<void(const SettingsNode& tree, const std::string& flag)>;
void add_flags_of(
    Parser& parser,
    const std::vector<FieldDescription>& fields,
    const ReadFlag& read);

// One option per field of T that is not a section: `--max-new-tokens 28`, and
// `--flag` alone for a boolean. Bad values are CallerErrors in the words of
// fields.h. `options` must outlive the parsing; then call check_options.
template <class T>
void add_flags(Parser& parser, T& options) {
  add_flags_of(
      parser,
      list_options<T>(),
      [&options](const SettingsNode& tree, const std::string& flag) {
        fields_detail::read_tree(options, tree, flag);
      });
}

}  // namespace moft
