// Python's str() and repr(): what a template's {{ .. }} shows.
#pragma once

#include "moft/chat/value.h"

namespace moft::jinja {

// str(value). Fault for what Python shows by its address in memory.
MarkedText printed(const Value& value, Budget& budget);
// repr(value), appended.
void append_repr(MarkedText& text, const Value& value, Budget& budget);

}  // namespace moft::jinja
