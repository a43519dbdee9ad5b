// Cutting, joining and searching marked text.
#include "moft/chat/text_functions.h"

#include <algorithm>

#include "moft/chat/characters.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

bool is_in(std::string_view set, std::string_view character) {
  return set.find(character) != std::string_view::npos;
}

std::size_t start_of_last(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

std::vector<MarkedText> split_spaces(
    const MarkedText& text, std::int64_t limit) {
  std::vector<MarkedText> pieces;
  const std::string& bytes = text.bytes();
  std::size_t at = skip_space(bytes, 0);
  while (at < bytes.size()) {
    if (limit >= 0 && static_cast<std::int64_t>(pieces.size()) == limit) {
      pieces.push_back(text.part(at, bytes.size()));
      break;
    }
    std::size_t end = at;
    while (end < bytes.size() && !is_space(code_point_at(bytes, end).value))
      end += character_size(bytes, end);
    pieces.push_back(text.part(at, end));
    at = skip_space(bytes, end);
  }
  return pieces;
}

std::vector<MarkedText> split_spaces_from_right(
    const MarkedText& text, std::int64_t limit) {
  std::vector<MarkedText> pieces;
  const std::string& bytes = text.bytes();
  std::size_t end = end_without_space(bytes);
  while (end > 0) {
    if (limit >= 0 && static_cast<std::int64_t>(pieces.size()) == limit) {
      pieces.push_back(text.part(0, end));
      break;
    }
    std::size_t at = end;
    while (at > 0) {
      const std::size_t before = start_of_last(bytes, at);
      if (is_space(code_point_at(bytes, before).value)) break;
      at = before;
    }
    pieces.push_back(text.part(at, end));
    end = end_without_space(std::string_view(bytes).substr(0, at));
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

// Bytes of the line end at text[at]; 0 if there is none.
std::size_t line_end_size(std::string_view text, std::size_t at) {
  if (text[at] == '\r') return text.substr(at, 2) == "\r\n" ? 2 : 1;
  const CodePoint point = code_point_at(text, at);
  const char32_t value = point.value;
  const bool ends = (value >= 0x0a && value <= 0x0c) ||
                    (value >= 0x1c && value <= 0x1e) || value == 0x85 ||
                    value == 0x2028 || value == 0x2029;
  return ends ? point.length : 0;
}

}  // namespace

MarkedText strip(
    const MarkedText& text, const std::optional<std::string>& set, Side side) {
  const std::string& bytes = text.bytes();
  std::size_t from = 0;
  std::size_t to = bytes.size();
  const std::string_view view(bytes);
  if (side != Side::kRight) {
    if (!set) from = skip_space(bytes, 0);
    while (set && from < to) {
      const std::size_t size = character_size(bytes, from);
      if (!is_in(*set, view.substr(from, size))) break;
      from += size;
    }
  }
  if (side != Side::kLeft && from < to) {
    if (!set) to = end_without_space(bytes);
    while (set && from < to) {
      const std::size_t start = start_of_last(bytes, to);
      if (!is_in(*set, view.substr(start, to - start))) break;
      to = start;
    }
  }
  return text.part(from, std::max(from, to));
}

std::vector<MarkedText> split_text(
    const MarkedText& text,
    const std::optional<std::string>& separator,
    std::int64_t limit,
    bool from_right) {
  if (!separator) {
    return from_right ? split_spaces_from_right(text, limit)
                      : split_spaces(text, limit);
  }
  const std::string& bytes = text.bytes();
  const auto may_cut = [&](const std::vector<MarkedText>& pieces) {
    return limit < 0 || static_cast<std::int64_t>(pieces.size()) < limit;
  };
  std::vector<MarkedText> pieces;
  if (!from_right) {
    std::size_t start = 0;
    while (may_cut(pieces)) {
      const std::size_t at = bytes.find(*separator, start);
      if (at == std::string::npos) break;
      pieces.push_back(text.part(start, at));
      start = at + separator->size();
    }
    pieces.push_back(text.part(start, bytes.size()));
    return pieces;
  }
  std::size_t end = bytes.size();
  while (may_cut(pieces) && end >= separator->size()) {
    const std::size_t at = bytes.rfind(*separator, end - separator->size());
    if (at == std::string::npos) break;
    pieces.push_back(text.part(at + separator->size(), end));
    end = at;
  }
  pieces.push_back(text.part(0, end));
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends) {
  std::vector<MarkedText> lines;
  const std::string& bytes = text.bytes();
  std::size_t start = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = line_end_size(bytes, at);
    if (size == 0) {
      at += character_size(bytes, at);
      continue;
    }
    lines.push_back(text.part(start, keep_ends ? at + size : at));
    at += size;
    start = at;
  }
  if (start < bytes.size()) lines.push_back(text.part(start, bytes.size()));
  return lines;
}

std::vector<MarkedText> partition(
    const MarkedText& text, const MarkedText& separator, bool from_right) {
  const std::string& bytes = text.bytes();
  const std::size_t at = from_right ? bytes.rfind(separator.bytes())
                                    : bytes.find(separator.bytes());
  if (at == std::string::npos) {
    if (from_right) return {MarkedText(), MarkedText(), text};
    return {text, MarkedText(), MarkedText()};
  }
  return {
      text.part(0, at),
      separator,
      text.part(at + separator.size(), bytes.size())};
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

std::size_t count_of(const MarkedText& text, std::string_view part) {
  if (part.empty()) return text.length() + 1;
  std::size_t count = 0;
  for (std::size_t at = text.bytes().find(part); at != std::string::npos;
       at = text.bytes().find(part, at + part.size()))
    ++count;
  return count;
}

SlicePlaces places_of(const SliceBounds& bounds, std::size_t size) {
  const auto n = static_cast<std::int64_t>(size);
  const std::int64_t step = bounds.step;
  const std::int64_t lowest = step < 0 ? -1 : 0;
  const std::int64_t highest = step < 0 ? n - 1 : n;
  const auto place = [&](const std::optional<std::int64_t>& bound,
                         std::int64_t otherwise) {
    if (!bound) return otherwise;
    if (*bound >= 0) return std::min(*bound, highest);
    return *bound < -n ? lowest : std::max(*bound + n, lowest);
  };
  const std::int64_t first = place(bounds.start, step < 0 ? highest : lowest);
  const std::int64_t end = place(bounds.stop, step < 0 ? lowest : highest);
  std::int64_t count = 0;
  if (step > 0 && first < end) count = (end - first - 1) / step + 1;
  if (step < 0 && end < first) {
    const auto size_of_step = static_cast<std::uint64_t>(-(step + 1)) + 1;
    count = static_cast<std::int64_t>(
        static_cast<std::uint64_t>(first - end - 1) / size_of_step + 1);
  }
  return {first, count, step};
}

MarkedText slice(const MarkedText& text, const SliceBounds& bounds) {
  const SlicePlaces places = places_of(bounds, text.length());
  if (places.count == 0) return {};
  if (places.step == 1) {
    const auto first = static_cast<std::size_t>(places.first);
    return text.part(
        text.offset_of(first),
        text.offset_of(first + static_cast<std::size_t>(places.count)));
  }
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < text.size();
       at += character_size(text.bytes(), at))
    starts.push_back(at);
  MarkedText result;
  for (std::int64_t i = 0; i < places.count; ++i) {
    const std::size_t at =
        starts[static_cast<std::size_t>(places.first + i * places.step)];
    result.append(text, at, at + character_size(text.bytes(), at));
  }
  return result;
}

MarkedText padded(
    const MarkedText& text,
    std::int64_t width,
    const MarkedText& fill,
    Side room) {
  const auto length = static_cast<std::int64_t>(text.length());
  if (width <= length) return text;
  const std::int64_t missing = width - length;
  // Python puts the odd one to the left of a text in an odd width.
  std::int64_t left = missing / 2 + (missing & width & 1);
  if (room != Side::kBoth) left = room == Side::kLeft ? missing : 0;
  MarkedText result;
  for (std::int64_t i = 0; i < left; ++i)
    result.append(fill);
  result.append(text);
  for (std::int64_t i = left; i < missing; ++i)
    result.append(fill);
  return result;
}

MarkedText escaped(const MarkedText& text) {
  MarkedText result;
  const std::string& bytes = text.bytes();
  std::size_t shown = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char* entity = bytes[at] == '&'    ? "&amp;"
                         : bytes[at] == '<'  ? "&lt;"
                         : bytes[at] == '>'  ? "&gt;"
                         : bytes[at] == '\'' ? "&#39;"
                         : bytes[at] == '"'  ? "&#34;"
                                             : nullptr;
    if (entity == nullptr) continue;
    result.append(text, shown, at);
    result.append(entity, text.marks_at(at));
    shown = at + 1;
  }
  result.append(text, shown, bytes.size());
  return result;
}

}  // namespace moft::jinja
