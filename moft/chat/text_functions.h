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

enum class Side { kLeft, kRight, kBoth };

// Without the characters of `set` (white space if none) at its ends.
MarkedText strip(
    const MarkedText& text, const std::optional<std::string>& set, Side side);

// At most `limit` cuts (negative: any number), counted from the left or right;
// without a separator at runs of white space. REQUIRES a separator that is not
// empty.
std::vector<MarkedText> split_text(
    const MarkedText& text,
    const std::optional<std::string>& separator,
    std::int64_t limit,
    bool from_right = false);
std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends);
// {before, separator, after} of its first or last occurrence.
std::vector<MarkedText> partition(
    const MarkedText& text, const MarkedText& separator, bool from_right);

// Where `old` is replaced, at most `limit` times (negative: any number).
MarkedText replace(
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit);
std::size_t count_of(const MarkedText& text, std::string_view part);

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
};
SlicePlaces places_of(const SliceBounds& bounds, std::size_t size);
MarkedText slice(const MarkedText& text, const SliceBounds& bounds);

// Filled up to `width` characters; the text in the middle, left or right.
MarkedText padded(
    const MarkedText& text,
    std::int64_t width,
    const MarkedText& fill,
    Side room);
// `& < > ' "` as HTML writes them.
MarkedText escaped(const MarkedText& text);

}  // namespace moft::jinja
