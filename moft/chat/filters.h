// The filters of a template: `value | name(..)`. abs attr d default float
// format int map reject rejectattr round select selectattr, and those of
// list_filters.h and text_filters.h. The others of jinja2 are refused by name.
#pragma once

#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

struct NamedFilter {
  Signature signature;
  Value (*call)(Run&, const Bound&);
};

bool knows_filter(std::string_view name);
// Fault for a filter that is not listed above; line 0 is that of the
// expression being evaluated.
void need_filter(std::string_view name, int line);

// `arguments` begin with the filtered value. Fault as above.
Value apply_filter(Run& run, std::string_view name, Arguments arguments);

}  // namespace moft::jinja
