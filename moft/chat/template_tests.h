// The tests of a template: `value is name`. boolean callable defined
// divisibleby escaped even false filter float in integer iterable lower mapping
// none number odd sameas sequence string test true undefined upper, and == eq
// equalto != ne < lt lessthan > gt greaterthan <= le >= ge. jinja2 has no
// others.
#pragma once

#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// Fault for a test that is not listed above; line 0 is that of the expression
// being evaluated.
void need_test(std::string_view name, int line);

// `arguments` begin with the tested value. Fault as above.
bool apply_test(Run& run, std::string_view name, Arguments arguments);

}  // namespace moft::jinja
