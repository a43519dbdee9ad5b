// UTF-8, read and written.
#include "moft/core/utf8.h"

namespace moft {

Utf8Part utf8_part_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true};
  std::size_t count = 0;
  unsigned low = 0x80, high = 0xbf;  // of the second byte
  if (lead >= 0xc2 && lead <= 0xdf) {
    count = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    count = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    count = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < count; ++i) {
    const unsigned value = byte(i);
    if (value < low || value > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {count, true};
}

CodePoint any_code_point_at(std::string_view text, std::size_t at) {
  if (!utf8_part_at(text, at).whole) return {0xfffd, 1};
  return code_point_at(text, at);
}

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Part part = utf8_part_at(text, at);
    if (!part.whole) break;
    at += part.length;
  }
  return at;
}

bool is_utf8(std::string_view text) {
  return first_invalid_utf8(text) == text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Part part = utf8_part_at(text, at);
    if (part.whole) {
      result.append(text.substr(at, part.length));
    } else {
      append_utf8(result, 0xfffd);
    }
    at += part.length;
  }
  return result;
}

void append_utf8(std::string& text, char32_t value) {
  const auto push = [&](char32_t byte) {
    text.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  };
  if (value < 0x80) {
    push(value);
  } else if (value < 0x800) {
    push(0xc0 | (value >> 6));
    push(0x80 | (value & 0x3f));
  } else if (value < 0x10000) {
    push(0xe0 | (value >> 12));
    push(0x80 | ((value >> 6) & 0x3f));
    push(0x80 | (value & 0x3f));
  } else {
    push(0xf0 | (value >> 18));
    push(0x80 | ((value >> 12) & 0x3f));
    push(0x80 | ((value >> 6) & 0x3f));
    push(0x80 | (value & 0x3f));
  }
}

}  // namespace moft
