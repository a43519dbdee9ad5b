// Filters on numbers and on values of any kind.
#pragma once

#include <span>

#include "moft/chat/filters.h"

namespace moft::jinja {

std::span<const NamedFilter> value_filters();

}  // namespace moft::jinja
