// SentencePiece's table of characters.
#include "moft/tokenizers/character_map.h"

#include <cstring>

#include <utf8proc.h>

#include "moft/core/errors.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

// Graphemes as long as this are looked up character by character.
constexpr std::size_t kLongGrapheme = 6;

std::uint32_t unit_offset(std::uint32_t unit) {
  return (unit >> 10) << ((unit & (1 << 9)) >> 6);
}

// Where the grapheme that starts at `at` ends.
std::size_t grapheme_end(std::string_view text, std::size_t at) {
  utf8proc_int32_t state = 0;
  CodePoint point = code_point_at(text, at);
  std::size_t end = at + point.length;
  while (end < text.size()) {
    const CodePoint next = code_point_at(text, end);
    const bool breaks = utf8proc_grapheme_break_stateful(
        static_cast<utf8proc_int32_t>(point.value),
        static_cast<utf8proc_int32_t>(next.value),
        &state);
    if (breaks) break;
    end += next.length;
    point = next;
  }
  return end;
}

}  // namespace

CharacterMap::CharacterMap(std::string_view bytes, const std::string& place)
    : place_(place) {
  std::uint32_t size = 0;
  if (bytes.size() < 4) damaged();
  std::memcpy(&size, bytes.data(), 4);
  bytes.remove_prefix(4);
  if (size > bytes.size() || size < 1024 || size % 4 != 0) damaged();
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data(), size);
  replacements_ = bytes.substr(size);
  if (replacements_.empty() || replacements_.back() != '\0' ||
      !is_utf8(replacements_)) {
    damaged();
  }
  check();
}

void CharacterMap::damaged() const {
  throw_caller_error(
      "{}: the normaliser's table of characters is damaged; take the file that "
      "belongs to the model",
      place_);
}

void CharacterMap::check() const {
  std::vector<bool> seen(units_.size());
  std::vector<std::uint32_t> open;
  const auto visit = [&](std::uint32_t base) {
    // Any next byte may be looked up from here.
    if ((base | 0xff) >= units_.size()) damaged();
    if (seen[base]) return;
    seen[base] = true;
    open.push_back(base);
  };
  visit(unit_offset(units_[0]));
  while (!open.empty()) {
    const std::uint32_t base = open.back();
    open.pop_back();
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t place = base ^ byte;
      const std::uint32_t unit = units_[place];
      if ((unit & 0x800000ff) != byte) continue;
      const std::uint32_t next = place ^ unit_offset(unit);
      visit(next);
      if ((unit >> 8 & 1) != 0) check_value(units_[next] & 0x7fffffff);
    }
  }
}

// A value is where a replacement begins.
void CharacterMap::check_value(std::uint32_t value) const {
  if (value >= replacements_.size() ||
      (value > 0 && replacements_[value - 1] != '\0')) {
    damaged();
  }
}

std::optional<std::string_view> CharacterMap::find(
    std::string_view text) const {
  std::uint32_t base = unit_offset(units_[0]);
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte == 0) return std::nullopt;
    const std::uint32_t place = base ^ byte;
    const std::uint32_t unit = units_[place];
    if ((unit & 0x800000ff) != byte) return std::nullopt;
    base = place ^ unit_offset(unit);
    if ((unit >> 8 & 1) == 0) continue;
    return std::string_view(
        replacements_.c_str() + (units_[base] & 0x7fffffff));
  }
  return std::nullopt;
}

std::string CharacterMap::normalise(std::string_view text) const {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = grapheme_end(text, at);
    if (end - at < kLongGrapheme) {
      if (const auto found = find(text.substr(at, end - at))) {
        result += *found;
        at = end;
        continue;
      }
    }
    while (at < end) {
      const std::size_t length = code_point_at(text, at).length;
      const std::string_view part = text.substr(at, length);
      result += find(part).value_or(part);
      at += length;
    }
  }
  return result;
}

}  // namespace moft
