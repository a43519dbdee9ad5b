// The filters on lists and objects. Those that are generators in jinja2 give
// sequences that can be run through once.
#pragma once

#include <span>

#include "moft/chat/filters.h"

namespace moft::jinja {

// batch count dictsort first groupby items last length list max min reverse
// slice sort sum unique.
std::span<const NamedFilter> list_filters();

}  // namespace moft::jinja
