// ==, <, in and hash() of Python.
#pragma once

#include <cstddef>
#include <string_view>

#include "moft/chat/value.h"

namespace moft::jinja {

bool equal(const Value& a, const Value& b, Budget& budget);
// a < b; Fault for kinds that have no order.
bool less(const Value& a, const Value& b, Budget& budget);
// `item in container`. An iterator is run through up to the item.
bool contains(const Value& container, const Value& item, Budget& budget);

// Fault for lists, objects and namespaces, which Python does not hash.
std::size_t hash_of(const Value& value, Budget& budget);
std::size_t hash_of(std::string_view text);

}  // namespace moft::jinja
