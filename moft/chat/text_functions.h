// Python's str methods on marked text: every byte keeps its mark.
//
// Pure functions; what may become far larger than its operands is paid for by
// the caller (Budget::will_need).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/chat/marked_text.h"

namespace moft::jinja {

// str.isspace of one character, which is also `\s` of Python's re.
bool is_space(char32_t value);
// The first byte after the white space at text[at]; the end of the text
// without the white space at its end.
std::size_t skip_space(std::string_view text, std::size_t at);
std::size_t end_without_space(std::string_view text);
// What repr() shows as it is.
bool is_printable(char32_t value);

enum class Side { kLeft, kRight, kBoth };
// Without the characters of `set` (white space if null) at its ends.
MarkedText strip(const MarkedText& text, const std::string* set, Side side);

// The number of places of `part` that do not overlap.
std::size_t count_of(const MarkedText& text, std::string_view part);

// At most `limit` cuts (negative: any number). REQUIRES a separator that is
// not empty.
std::vector<MarkedText> split_text(
    const MarkedText& text, std::string_view separator, std::int64_t limit);

// Where `old` is replaced, at most `limit` times (negative: any number).
MarkedText replace(
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit);

// Characters [start, stop) in steps, with Python's rules for missing and
// negative bounds. REQUIRES step != 0.
struct SliceBounds {
  std::optional<std::int64_t> start;
  std::optional<std::int64_t> stop;
  std::int64_t step = 1;
};
// The places that a slice takes of a sequence of `size` items, in order.
struct SlicePlaces {
  std::int64_t first;
  std::int64_t count;
  std::int64_t step;

  std::size_t operator[](std::int64_t i) const {
    return static_cast<std::size_t>(first + i * step);
  }
};
SlicePlaces places_of(const SliceBounds& bounds, std::size_t size);
MarkedText slice(const MarkedText& text, const SliceBounds& bounds);

// As str.upper, str.lower and str.capitalize.
MarkedText upper(const MarkedText& text);
MarkedText lower(const MarkedText& text);
MarkedText capitalize(const MarkedText& text);

}  // namespace moft::jinja
