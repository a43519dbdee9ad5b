// Values as Python prints them: str(), repr() and json.dumps.
#pragma once

#include <optional>
#include <string>

#include "moft/chat/value.h"

namespace moft::jinja {

// str(value): what a template's {{ .. }} shows. Fault for what Python shows by
// its address in memory, and for ranges, namespaces and items of objects.
MarkedText printed(const Value& value, Budget& budget);

// The filter tojson, characters beyond ASCII as they are; with `indent`, one
// item on a line. Fault for values that JSON does not have.
MarkedText to_json(
    const Value& value, std::optional<std::size_t> indent, Budget& budget);

}  // namespace moft::jinja
