// Upper and lower case of marked text, as Python's str has them.
//
// Pure functions.
#pragma once

#include <string_view>

#include "moft/chat/marked_text.h"

namespace moft::jinja {

MarkedText upper(const MarkedText& text);
MarkedText lower(const MarkedText& text);
MarkedText capitalize(const MarkedText& text);
// str.title: a capital after every character that has no case.
MarkedText title(const MarkedText& text);
// The filter title: a capital after blanks, hyphens and brackets.
MarkedText title_words(const MarkedText& text);

// str.isupper and its like by name: "isupper", "islower", "isspace",
// "isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isascii".
bool knows_question(std::string_view name);
// REQUIRES knows_question(name).
bool answer(const MarkedText& text, std::string_view name);

}  // namespace moft::jinja
