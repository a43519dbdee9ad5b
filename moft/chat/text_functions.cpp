// Cutting, replacing and filling up marked text.
#include "moft/chat/text_functions.h"

#include <algorithm>

#include <utf8proc.h>

#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

utf8proc_category_t category(char32_t value) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(value));
}

// Where the word that ends at `end` begins.
std::size_t start_of_word(std::string_view text, std::size_t end) {
  while (end > 0) {
    const std::size_t before = start_of_last(text, end);
    if (is_space(code_point_at(text, before).value)) break;
    end = before;
  }
  return end;
}

std::size_t end_of_word(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_space(code_point_at(text, at).value))
    at += character_size(text, at);
  return at;
}

// Cuts at white space, which also goes at the end that is cut first.
std::vector<MarkedText> split_words(
    const MarkedText& text, std::int64_t limit, Side from) {
  const std::string_view bytes(text.bytes());
  std::vector<MarkedText> pieces;
  std::size_t start = skip_space(bytes, 0);
  std::size_t end = end_without_space(bytes);
  if (from == Side::kLeft) end = bytes.size();
  if (from == Side::kRight) start = 0;
  while (start < end) {
    const bool is_last = static_cast<std::int64_t>(pieces.size()) == limit;
    if (from == Side::kLeft) {
      const std::size_t stop = is_last ? end : end_of_word(bytes, start);
      pieces.push_back(text.part(start, stop));
      start = skip_space(bytes, stop);
    } else {
      const std::size_t stop = is_last ? 0 : start_of_word(bytes, end);
      pieces.push_back(text.part(stop, end));
      end = end_without_space(bytes.substr(0, stop));
    }
  }
  return pieces;
}

}  // namespace

std::size_t start_of_last(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

bool is_space(char32_t value) {
  if (value < 0x80) {
    return value == ' ' || (value >= 9 && value <= 13) ||
           (value >= 0x1c && value <= 0x1f);
  }
  return value == 0x85 || category(value) == UTF8PROC_CATEGORY_ZS ||
         value == 0x2028 || value == 0x2029;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = code_point_at(text, at);
    if (!is_space(point.value)) break;
    at += point.length;
  }
  return at;
}

std::size_t end_without_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const std::size_t at = start_of_last(text, end);
    if (!is_space(code_point_at(text, at).value)) break;
    end = at;
  }
  return end;
}

bool is_printable(char32_t value) {
  if (value < 0x7f) return value >= 0x20;
  const auto kind = category(value);
  return kind != UTF8PROC_CATEGORY_CN && kind < UTF8PROC_CATEGORY_ZS;
}

MarkedText strip(const MarkedText& text, const std::string* set, Side side) {
  const std::string_view bytes(text.bytes());
  const auto goes = [&](std::size_t at, std::size_t size) {
    if (set == nullptr) return is_space(code_point_at(bytes, at).value);
    return set->find(bytes.substr(at, size)) != std::string::npos;
  };
  std::size_t from = 0;
  std::size_t to = bytes.size();
  while (side != Side::kRight && from < to) {
    const std::size_t size = character_size(bytes, from);
    if (!goes(from, size)) break;
    from += size;
  }
  while (side != Side::kLeft && from < to) {
    const std::size_t start = start_of_last(bytes, to);
    if (!goes(start, to - start)) break;
    to = start;
  }
  return text.part(from, to);
}

std::size_t count_of(std::string_view text, std::string_view part) {
  if (part.empty()) return count_characters(text) + 1;
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size()))
    ++count;
  return count;
}

std::vector<MarkedText> split_text(
    const MarkedText& text,
    const std::string* separator,
    std::int64_t limit,
    Side from) {
  std::vector<MarkedText> pieces;
  if (separator == nullptr) {
    pieces = split_words(text, limit, from);
  } else {
    const std::string_view bytes(text.bytes());
    const std::size_t size = separator->size();
    std::size_t start = 0;
    std::size_t end = bytes.size();
    while (limit < 0 || static_cast<std::int64_t>(pieces.size()) < limit) {
      const std::string_view left = bytes.substr(start, end - start);
      std::size_t at =
          from == Side::kLeft ? left.find(*separator) : left.rfind(*separator);
      if (at == std::string_view::npos) break;
      at += start;
      const bool is_left = from == Side::kLeft;
      pieces.push_back(
          is_left ? text.part(start, at) : text.part(at + size, end));
      if (is_left) start = at + size;
      if (!is_left) end = at;
    }
    pieces.push_back(text.part(start, end));
  }
  if (from == Side::kRight) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends) {
  std::vector<MarkedText> lines;
  const std::string& bytes = text.bytes();
  std::size_t start = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = code_point_at(bytes, at);
    const char32_t value = point.value;
    const std::size_t line_end = at;
    at += point.length;
    const bool ends = (value >= 0x0a && value <= 0x0d) ||
                      (value >= 0x1c && value <= 0x1e) || value == 0x85 ||
                      value == 0x2028 || value == 0x2029;
    if (!ends) continue;
    if (value == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
    lines.push_back(text.part(start, keep_ends ? at : line_end));
    start = at;
  }
  if (start < bytes.size()) lines.push_back(text.part(start, bytes.size()));
  return lines;
}

MarkedText replace(
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit) {
  const std::string& bytes = text.bytes();
  MarkedText result;
  std::size_t start = 0;
  std::int64_t done = 0;
  // An empty text is found before every character and at the end.
  for (std::size_t from = 0; limit < 0 || done < limit; ++done) {
    const std::size_t at = bytes.find(old.bytes(), from);
    if (at == std::string::npos) break;
    result.append(text, start, at);
    result.append(with);
    start = at + old.size();
    from = start;
    if (!old.empty()) continue;
    if (at >= bytes.size()) break;
    from = at + character_size(bytes, at);
  }
  result.append(text, start, bytes.size());
  return result;
}

SlicePlaces places_of(const SliceBounds& bounds, std::size_t size) {
  const auto n = static_cast<std::int64_t>(size);
  const std::int64_t lowest = bounds.step < 0 ? -1 : 0;
  const std::int64_t highest = bounds.step < 0 ? n - 1 : n;
  const auto place = [&](const std::optional<std::int64_t>& bound,
                         std::int64_t otherwise) {
    if (!bound) return otherwise;
    if (*bound >= 0) return std::min(*bound, highest);
    return *bound < -n ? lowest : std::max(*bound + n, lowest);
  };
  // A longer step takes the first place only.
  const std::int64_t step = std::clamp(bounds.step, -n - 1, n + 1);
  const auto first = place(bounds.start, step < 0 ? highest : lowest);
  const auto end = place(bounds.stop, step < 0 ? lowest : highest);
  const bool is_empty = step < 0 ? first <= end : first >= end;
  const std::int64_t last = step < 0 ? end + 1 : end - 1;
  return {first, is_empty ? 0 : (last - first) / step + 1, step};
}

MarkedText slice(const MarkedText& text, const SliceBounds& bounds) {
  const SlicePlaces places = places_of(bounds, text.length());
  if (places.count == 0) return {};
  if (places.step == 1)
    return text.part(
        text.offset_of(places[0]), text.offset_of(places[places.count]));
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < text.size();
       at += character_size(text.bytes(), at))
    starts.push_back(at);
  MarkedText result;
  for (std::int64_t i = 0; i < places.count; ++i) {
    const std::size_t at = starts[places[i]];
    result.append(text, at, at + character_size(text.bytes(), at));
  }
  return result;
}

MarkedText padded(
    const MarkedText& text,
    std::int64_t width,
    const MarkedText& fill,
    Side side) {
  const auto missing = width - static_cast<std::int64_t>(text.length());
  // Python puts the odd one to the left of a text in an odd width.
  std::int64_t left = missing / 2 + (missing & width & 1);
  if (side != Side::kBoth) left = side == Side::kLeft ? missing : 0;
  MarkedText result;
  for (std::int64_t i = 0; i < left; ++i)
    result.append(fill);
  result.append(text);
  for (std::int64_t i = left; i < missing; ++i)
    result.append(fill);
  return result;
}

}  // namespace moft::jinja
