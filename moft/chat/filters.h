// The filters of a template: `value | name(arguments)`.
//
// Those of jinja2: abs attr batch capitalize center count d default dictsort e
// escape first float forceescape format indent int items join last
// length list lower map max min reject rejectattr replace reverse round safe
// select selectattr slice sort string sum title trim unique upper; and
// transformers' tojson. Refused by name: filesizeformat groupby pprint random
// striptags truncate urlencode urlize wordcount wordwrap xmlattr.
#pragma once

#include <string>
#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// `arguments` begin with the filtered value.
using Filter = Value (*)(Run&, Arguments);

struct NamedFilter {
  std::string_view name;
  Filter call;
};

// Null for an unknown name.
Filter find_filter(std::string_view name);
// Fault for a name that find_filter does not find.
void need_filter(const std::string& name, int line);

Value apply_filter(Run& run, const std::string& name, Arguments arguments);

}  // namespace moft::jinja
