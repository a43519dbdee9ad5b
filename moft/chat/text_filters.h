// The filters on texts, and of values to texts.
#pragma once

#include <span>

#include "moft/chat/filters.h"

namespace moft::jinja {

// capitalize center e escape forceescape indent join lower replace safe string
// title tojson (transformers') trim upper urlencode wordcount.
std::span<const NamedFilter> text_filters();

}  // namespace moft::jinja
