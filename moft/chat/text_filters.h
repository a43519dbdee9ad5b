// Filters that give a text.
#pragma once

#include <span>

#include "moft/chat/filters.h"

namespace moft::jinja {

std::span<const NamedFilter> text_filters();

}  // namespace moft::jinja
