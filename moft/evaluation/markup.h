// Text and numbers as the page, the pictures and the table show them.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft {

// Text for HTML and XML, between tags or inside quotes: the five special
// characters become entities, control characters (other than tab and newline)
// and bytes that are not UTF-8 become U+FFFD.
std::string escape_markup(std::string_view text);

// The text cut to at most `length` characters, the last one an ellipsis.
std::string shorten(std::string_view text, std::size_t length);

// The number with at most `digits` decimals, without trailing zeros.
std::string plain_number(double x, int digits = 2);

}  // namespace moft
