// The tests of a template: `value is name`.
//
// All of jinja2's: boolean callable defined divisibleby eq equalto == escaped
// even false filter float ge gt > >= greaterthan in integer iterable le
// lessthan lower lt < <= mapping ne != none number odd sameas sequence string
// test true undefined upper.
#pragma once

#include <string>
#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

bool knows_test(std::string_view name);
// Fault for an unknown name.
void need_test(const std::string& name, int line);

// `arguments` begin with the tested value.
bool apply_test(Run& run, const std::string& name, Arguments arguments);

}  // namespace moft::jinja
