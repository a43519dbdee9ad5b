// Methods of texts, lists and objects, and attributes of namespaces and loops.
#pragma once

#include <string>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// The method or attribute that Python's getattr finds. Missing if there is
// none; an undefined value for what the sandbox denies (list.append,
// __class__); Fault for methods of Python that are not supported.
Value method_of(Run& run, const Value& object, const std::string& name);

}  // namespace moft::jinja
