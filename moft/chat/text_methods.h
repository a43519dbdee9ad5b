// The methods of Python's str that templates call.
#pragma once

#include <string>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// text.name as a function. Missing if str has no such method, Fault if it has
// one that is not supported.
Value text_method(Run& run, const Value& text, const std::string& name);

// Where `value` is a text, and what it becomes as str(): for filters that
// take any value. The markup stays.
Value as_text(Run& run, const Value& value);

// separator.join(values).
Value join_values(Run& run, const Value& separator, const Value& values);

}  // namespace moft::jinja
