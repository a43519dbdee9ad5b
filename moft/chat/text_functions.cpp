// Cutting, joining and changing the case of marked text.
#include "moft/chat/text_functions.h"

#include <algorithm>
#include <array>
#include <utility>

#include <utf8proc.h>

#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

constexpr char32_t kCapitalDotI = 0x130;
constexpr char32_t kSharpS = 0xdf;
constexpr char32_t kCapitalSigma = 0x3a3;
constexpr char32_t kFinalSigma = 0x3c2;
constexpr char32_t kIota = 0x3b9;
constexpr char32_t kIotaBelow = 0x345;

utf8proc_int32_t point_of(char32_t value) {
  return static_cast<utf8proc_int32_t>(value);
}

utf8proc_category_t category(char32_t value) {
  return utf8proc_category(point_of(value));
}

std::size_t start_of_last(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

char32_t upper_of(char32_t value) {
  if (value == kSharpS) return value;
  return static_cast<char32_t>(utf8proc_toupper(point_of(value)));
}

// The case folding of a character, ended by 0. Where it is longer than one
// character, so are its other cases: "ﬁ" folds to "fi" and becomes "FI".
std::array<char32_t, 4> folded(char32_t value) {
  std::array<utf8proc_int32_t, 4> points{};
  int boundary = 0;
  utf8proc_decompose_char(
      point_of(value), points.data(), 4, UTF8PROC_CASEFOLD, &boundary);
  std::array<char32_t, 4> result{};
  std::copy(points.begin(), points.end(), result.begin());
  return result;
}

void append_upper(std::string& bytes, char32_t value) {
  const auto parts = folded(value);
  if (parts[1] == 0 || category(value) == UTF8PROC_CATEGORY_LU)
    return append_utf8(bytes, upper_of(value));
  for (std::size_t i = 0; parts[i] != 0; ++i)
    append_utf8(bytes, upper_of(parts[i]));
}

void append_title(std::string& bytes, char32_t value) {
  const auto title = static_cast<char32_t>(utf8proc_totitle(point_of(value)));
  const auto parts = folded(value);
  const bool has_own = category(value) == UTF8PROC_CATEGORY_LU ||
                       category(value) == UTF8PROC_CATEGORY_LT ||
                       (title != value && value != kSharpS);
  if (parts[1] == 0 || has_own) return append_utf8(bytes, title);
  append_utf8(bytes, upper_of(parts[0]));
  for (std::size_t i = 1; parts[i] != 0; ++i)
    append_utf8(bytes, parts[i] == kIota ? kIotaBelow : parts[i]);
}

bool has_case(char32_t value) {
  return category(value) == UTF8PROC_CATEGORY_LT ||
         utf8proc_toupper(point_of(value)) != utf8proc_tolower(point_of(value));
}

// Characters that do not part a word for the rule of the final sigma.
bool is_ignored(char32_t value) {
  const auto kind = category(value);
  return value == '\'' || value == '.' || value == ':' || value == 0xb7 ||
         value == 0x2019 || kind == UTF8PROC_CATEGORY_MN ||
         kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK;
}

// Whether the sigma at text[at] ends a word: a letter before it, none after.
bool is_final_sigma(std::string_view text, std::size_t at) {
  char32_t last = 0;
  for (std::size_t before = at; before > 0;) {
    before = start_of_last(text, before);
    last = code_point_at(text, before).value;
    if (!is_ignored(last)) break;
  }
  if (!has_case(last)) return false;
  for (std::size_t next = at + 2; next < text.size();) {
    const CodePoint point = code_point_at(text, next);
    if (!is_ignored(point.value)) return !has_case(point.value);
    next += point.length;
  }
  return true;
}

void append_lower(std::string& bytes, std::string_view text, std::size_t at) {
  const char32_t value = code_point_at(text, at).value;
  if (value == kCapitalDotI) {
    bytes += "i\xcc\x87";
  } else if (value == kCapitalSigma && is_final_sigma(text, at)) {
    append_utf8(bytes, kFinalSigma);
  } else {
    append_utf8(
        bytes, static_cast<char32_t>(utf8proc_tolower(point_of(value))));
  }
}

// Calls append(bytes, value, at) for every character.
template <typename Append>
MarkedText in_case(const MarkedText& text, const Append& append) {
  MarkedText result;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.bytes(), at);
    std::string bytes;
    append(bytes, point.value, at);
    result.append(bytes, text.marks_at(at));
    at += point.length;
  }
  return result;
}

}  // namespace

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

std::size_t count_of(const MarkedText& text, std::string_view part) {
  if (part.empty()) return text.length() + 1;
  std::size_t count = 0;
  for (std::size_t at = text.bytes().find(part); at != std::string::npos;
       at = text.bytes().find(part, at + part.size()))
    ++count;
  return count;
}

std::vector<MarkedText> split_text(
    const MarkedText& text, std::string_view separator, std::int64_t limit) {
  std::vector<MarkedText> pieces;
  std::size_t start = 0;
  while (limit < 0 || static_cast<std::int64_t>(pieces.size()) < limit) {
    const std::size_t at = text.bytes().find(separator, start);
    if (at == std::string::npos) break;
    pieces.push_back(text.part(start, at));
    start = at + separator.size();
  }
  pieces.push_back(text.part(start, text.size()));
  return pieces;
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

MarkedText upper(const MarkedText& text) {
  return in_case(text, [](std::string& bytes, char32_t value, std::size_t) {
    append_upper(bytes, value);
  });
}

MarkedText lower(const MarkedText& text) {
  return in_case(text, [&](std::string& bytes, char32_t, std::size_t at) {
    append_lower(bytes, text.bytes(), at);
  });
}

MarkedText capitalize(const MarkedText& text) {
  return in_case(text, [&](std::string& bytes, char32_t value, std::size_t at) {
    if (at == 0) return append_title(bytes, value);
    append_lower(bytes, text.bytes(), at);
  });
}

}  // namespace moft::jinja
