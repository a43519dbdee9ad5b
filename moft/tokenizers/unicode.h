// The little Unicode that tokenizers need: checked UTF-8, normal forms and a
// few classes of code points.
//
// Functions that take `text` as code points REQUIRE valid UTF-8; make it valid
// with replace_invalid_utf8 first. Linear time but for sorting runs of
// combining marks (n log n). Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft {

struct CodePoint {
  char32_t value;
  std::size_t length;  // bytes
};

// The code point that starts at text[at]. REQUIRES at < text.size().
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

void append_utf8(std::string& text, char32_t value);

bool is_valid_utf8(std::string_view text);

// Every maximal ill-formed part becomes one U+FFFD (Unicode 15, section 3.9,
// table 3-8), as in Python's errors="replace" and Rust's from_utf8_lossy.
std::string replace_invalid_utf8(std::string_view text);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

std::string normalise(std::string_view text, NormalForm form);

// Unicode's White_Space property.
bool is_white_space(char32_t value);
// General category N (Nd, Nl, No).
bool is_number(char32_t value);
// General category P.
bool is_punctuation(char32_t value);
// General category Mn.
bool is_nonspacing_mark(char32_t value);
// General categories Cc, Cf and Co.
bool is_other(char32_t value);
// A letter, mark, decimal digit, connector or joiner: `\w` of Unicode's
// regular-expression report (UTS 18).
bool is_word(char32_t value);
// The full lower-case form of one code point, appended.
void append_lower(std::string& text, char32_t value);

}  // namespace moft
