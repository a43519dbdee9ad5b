// What Python's str knows of single characters: white space, cases, kinds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft::jinja {

// str.isspace of one character, which is also `\s` of Python's re.
bool is_space(char32_t value);
// The first byte after the white space at text[at]; the end of the text
// without the white space at its end.
std::size_t skip_space(std::string_view text, std::size_t at);
std::size_t end_without_space(std::string_view text);

enum class Case { kUpper, kLower, kTitle };
// The character in a case, appended: one to three characters.
void append_case(std::string& text, char32_t value, Case to);

bool is_upper(char32_t value);
bool is_lower(char32_t value);
bool is_title(char32_t value);
bool is_letter(char32_t value);
bool is_decimal(char32_t value);
// What repr() shows as it is.
bool is_printable(char32_t value);
// A character of a Python identifier; the first may not be a digit.
bool is_name_start(char32_t value);
bool is_name_part(char32_t value);

}  // namespace moft::jinja
