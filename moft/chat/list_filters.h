// Filters that go through lists.
#pragma once

#include <span>

#include "moft/chat/filters.h"

namespace moft::jinja {

std::span<const NamedFilter> list_filters();

}  // namespace moft::jinja
