// UTF-8: checked reading, unchecked reading of checked text, writing.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft {

struct CodePoint {
  char32_t value;
  std::size_t length;  // bytes
};

// The code point that starts at text[at]. REQUIRES valid UTF-8 and
// at < text.size().
inline CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {((lead & 0x1f) << 6) | (byte(1) & 0x3f), 2};
  if (lead < 0xf0) {
    return {
        ((lead & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f), 3};
  }
  return {
      ((lead & 0x07) << 18) | ((byte(1) & 0x3f) << 12) |
          ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f),
      4};
}

// Bytes of the longest prefix of `text` that is, or could begin, one
// well-formed code point (Unicode 15, table 3-7: no overlong forms, no
// surrogates, nothing above U+10FFFF); `whole` says which of the two.
struct Utf8Part {
  std::size_t length;  // at least 1
  bool whole;
};

// The part that starts at text[at]. REQUIRES at < text.size().
Utf8Part utf8_part_at(std::string_view text, std::size_t at);

// The same for a reader that shows every malformed byte separately: such a byte
// is {U+FFFD, 1}. REQUIRES at < text.size().
CodePoint any_code_point_at(std::string_view text, std::size_t at);

bool is_utf8(std::string_view text);
// Where the first ill-formed part begins; text.size() if there is none.
std::size_t first_invalid_utf8(std::string_view text);

// Every maximal ill-formed part becomes one U+FFFD (Unicode 15, section 3.9,
// table 3-8), as in Python's errors="replace" and Rust's from_utf8_lossy.
std::string replace_invalid_utf8(std::string_view text);

void append_utf8(std::string& text, char32_t value);

}  // namespace moft
