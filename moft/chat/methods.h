// Methods of texts and objects, attributes of namespaces and loops, and the
// functions that every chat template may call.
#pragma once

#include <string>
#include <vector>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// The method or attribute that Python's getattr finds: of texts those of
// text_methods.h; of objects copy get items keys values; of lists copy count
// index; of loops those of Loop and cycle, changed. Missing if there is none;
// Fault for other methods of Python.
Value method_of(Run& run, const Value& object, const std::string& name);

// (key, value) of every entry of an object.
std::vector<Value> pairs_of(Run& run, const Value& object);

// dict, namespace, range, and transformers' raise_exception and strftime_now,
// as variables of the run. jinja2's others are refused when they are called.
void add_globals(Run& run);

}  // namespace moft::jinja
