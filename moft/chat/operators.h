// Operators of any values by Python's rules, subscripts and attributes.
//
// Whole numbers have 64 bits; what Python would go on computing with more
// digits is refused.
#pragma once

#include <string>
#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// a OP b for + - * %, of whole numbers, and == != < > <= >= in, not in. Fault
// for kinds without that operation.
Value binary_operation(
    Run& run, const Value& a, const Value& b, std::string_view op);
Value negated(const Value& a);

// `values[start:stop:step]` of a text or list; bounds may be Missing or none.
Value slice_of(
    Run& run,
    const Value& values,
    const Value& start,
    const Value& stop,
    const Value& step);

// object.name and object[key], which look for both by jinja2's rules;
// undefined if there is neither. Fault for attributes of Python that this
// interpreter does not have.
Value attribute_of(Run& run, const Value& object, const std::string& name);
Value item_of(Run& run, const Value& object, const Value& key);
// The path of a filter's argument: "function.name", "args.0".
Value path_of(Run& run, Value object, const Value& path);

}  // namespace moft::jinja
