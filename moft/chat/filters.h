// The filters and tests of a template: `value | name(..)`, `value is name`.
//
// Filters: capitalize count d default dictsort first items join last length
// list lower map reject rejectattr replace safe select selectattr string
// tojson (transformers') trim upper.
// Tests: boolean defined eq equalto == false float in integer iterable
// mapping ne != none number sequence string true undefined.
// The others of jinja2 are refused by name.
#pragma once

#include <string>
#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// Fault for a name that is not listed above; line 0 is that of the expression
// being evaluated.
void need_filter(std::string_view name, int line);
void need_test(std::string_view name, int line);

// `arguments` begin with the filtered or tested value. Fault as above.
Value apply_filter(Run& run, std::string_view name, Arguments arguments);
bool apply_test(Run& run, std::string_view name, Arguments arguments);

}  // namespace moft::jinja
