// JSON to values of a template, and back by the filter tojson.
#pragma once

#include <optional>

#include "moft/chat/chat_template.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// Every byte and number of it comes from the conversation. Fault for
// malformed UTF-8 and whole numbers beyond 64 bits.
Value from_json(const ChatJson& json, Budget& budget);

// json.dumps of Python.
struct JsonStyle {
  bool ascii = false;  // other characters as \uXXXX
  std::optional<MarkedText> indent;
  MarkedText item_separator = MarkedText(", ");
  MarkedText key_separator = MarkedText(": ");
  bool sort_keys = false;
};

// Fault for values that JSON does not have.
MarkedText to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace moft::jinja
