// Methods of texts and objects, attributes of namespaces and loops, and the
// functions that every chat template may call.
#pragma once

#include <string>
#include <vector>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// The method or attribute that Python's getattr finds: of texts capitalize
// endswith find lower lstrip replace rfind rstrip split startswith strip
// upper; of objects get and items. Missing if there is none; Fault for
// other methods of Python.
Value method_of(Run& run, const Value& object, const std::string& name);

// text.replace(old, with, limit), paid for.
Value replaced(
    Run& run,
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit);

// (key, value) of every entry of an object.
std::vector<Value> pairs_of(Run& run, const Value& object);

// namespace, range, and transformers' raise_exception and strftime_now, as
// variables of the run. jinja2's others are refused when they are called.
void add_globals(Run& run);

}  // namespace moft::jinja
