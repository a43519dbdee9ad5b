// Texts and numbers as a template writes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "moft/chat/value.h"

namespace moft::jinja {

// The text between the quotes, Python's escapes resolved. Fault for \N{..}
// and for half of a surrogate pair.
std::string unescaped(std::string_view literal, int line);

struct NumberLiteral {
  Value value;
  std::size_t size;  // bytes of the source
};

// The number at the start of `source`, which begins with a digit. Fault for
// whole numbers beyond 64 bits.
NumberLiteral number_literal(
    std::string_view source, bool may_be_float, int line);

}  // namespace moft::jinja
