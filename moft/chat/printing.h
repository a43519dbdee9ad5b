// Values as Python prints them: str(), repr() and json.dumps.
#pragma once

#include <optional>

#include "moft/chat/value.h"

namespace moft::jinja {

// str(value): what a template's {{ .. }} shows. Fault for what Python shows by
// its address in memory, and for ranges, namespaces and items of objects.
MarkedText printed(const Value& value, Budget& budget);

// repr(value).
MarkedText repr(const Value& value, Budget& budget);

// The arguments of json.dumps.
struct JsonStyle {
  bool ascii = false;  // other characters as \u escapes
  bool sort_keys = false;
  std::optional<MarkedText> indent = {};  // one item on a line
  MarkedText between_items = MarkedText(", ");
  MarkedText behind_keys = MarkedText(": ");
};
// The filter tojson. Fault for values that JSON does not have.
MarkedText to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace moft::jinja
