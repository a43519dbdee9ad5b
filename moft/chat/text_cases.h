// Python's str methods about the case and kind of characters, on marked text.
//
// Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

#include "moft/chat/marked_text.h"

namespace moft::jinja {

// As str.upper, str.lower, str.capitalize and str.title.
MarkedText upper(const MarkedText& text);
MarkedText lower(const MarkedText& text);
MarkedText capitalize(const MarkedText& text);
MarkedText title(const MarkedText& text);
// As jinja2's filters title and wordcount.
MarkedText title_words(const MarkedText& text);
std::size_t count_words(const MarkedText& text);

// Whether str has the method `name` that asks something about all characters:
// isalnum isalpha isascii isdecimal isdigit islower isspace isupper.
bool knows_question(std::string_view name);
// text.name(). REQUIRES knows_question(name).
bool answer(const MarkedText& text, std::string_view name);

}  // namespace moft::jinja
