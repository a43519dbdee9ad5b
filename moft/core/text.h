// Small helpers on text: numbers as text, names that are nearly equal, parts
// of hostile text shown safely in a message.
//
// Thread safety: all functions are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

// The number of insertions, deletions, replacements and swaps of neighbours
// that turn `a` into `b`, no place edited twice (optimal string alignment:
// Damerau, CACM 1964). Bytes, not characters. Cost: |a| |b|.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `name`, if one is near enough to be a typing
// error: at most a third of the longer of the two. The first of equally near
// ones. Names over 256 bytes have no neighbour.
std::optional<std::string> nearest_name(
    std::string_view name, std::span<const std::string> candidates);

// The fewest digits that read back as the same double: "0.1", "0.0005",
// "1e-05", "3".
std::string shortest_number(double value);

// A number written with nothing after it, or nothing: "3", "-2.5e3", ".5".
// No blanks, no leading '+', no hexadecimal, no inf or nan, no overflow.
std::optional<double> parse_real(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);

// `text` between single quotes for a message on one line: control characters
// and malformed bytes become \xNN, and what is over `limit` bytes is cut off
// at a character and marked with "..".
std::string quote_text(std::string_view text, std::size_t limit = 60);

std::string join(
    std::span<const std::string> parts, std::string_view separator);
// "a", "a and b", "a, b and c".
std::string listed(std::span<const std::string> parts);

// The pieces between separators, empty ones included: "a..b" has three.
std::vector<std::string> split(std::string_view text, char separator);

// `text` without blanks, tabs and line ends at both ends.
std::string_view trimmed(std::string_view text);

// What moft calls words wherever it counts them: core/words.h has the rule.
std::int64_t count_words(std::string_view text);

}  // namespace moft
