// Literals by Python's rules.
#include "moft/chat/text_literal.h"

#include <cctype>
#include <optional>

#include "moft/chat/fault.h"
#include "moft/chat/numbers.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

constexpr std::string_view kSimple = "\\'\"abfnrtv";
constexpr std::string_view kSimpleValues = "\\'\"\a\b\f\n\r\t\v";

// Reads an escape of hexadecimal or octal digits; returns the bytes used.
std::size_t append_numbered(
    std::string& text,
    std::string_view digits,
    std::size_t least,
    std::size_t most,
    int base,
    int line) {
  std::uint32_t value = 0;
  std::size_t count = 0;
  while (count < most && count < digits.size()) {
    const auto digit = parse_whole(digits.substr(count, 1), base);
    if (!digit || !std::isalnum(static_cast<unsigned char>(digits[count])))
      break;
    value = value * static_cast<std::uint32_t>(base) +
            static_cast<std::uint32_t>(*digit);
    ++count;
  }
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (count < least || value > 0x10ffff || surrogate)
    fault_at(line, "a text holds a '\\' escape that names no character");
  append_utf8(text, value);
  return count;
}

std::size_t digits_in(std::string_view source, std::size_t at) {
  const std::size_t start = at;
  while (at < source.size()) {
    const auto is_digit = [&](std::size_t place) {
      return place < source.size() && source[place] >= '0' &&
             source[place] <= '9';
    };
    if (is_digit(at)) {
      ++at;
    } else if (source[at] == '_' && at > start && is_digit(at + 1)) {
      at += 2;
    } else {
      break;
    }
  }
  return at - start;
}

// Bytes of the float at the start, or 0.
std::size_t float_size(std::string_view source) {
  std::size_t at = digits_in(source, 0);
  bool is_float = false;
  if (at < source.size() && source[at] == '.') {
    const std::size_t fraction = digits_in(source, at + 1);
    if (fraction == 0) return 0;
    at += 1 + fraction;
    is_float = true;
  }
  if (at < source.size() && (source[at] | 0x20) == 'e') {
    std::size_t digits = at + 1;
    if (digits < source.size() &&
        (source[digits] == '+' || source[digits] == '-'))
      ++digits;
    const std::size_t exponent = digits_in(source, digits);
    if (exponent > 0) return digits + exponent;
  }
  return is_float ? at : 0;
}

// Bytes of "0x1f" and its like, or of decimal digits.
std::size_t whole_size(std::string_view source) {
  if (source[0] != '0') return digits_in(source, 0);
  if (source.size() > 2) {
    const char kind = static_cast<char>(source[1] | 0x20);
    std::size_t end = 2;
    const auto fits = [&](char digit) {
      const auto byte = static_cast<unsigned char>(digit);
      if (kind == 'b') return digit == '0' || digit == '1';
      if (kind == 'o') return digit >= '0' && digit <= '7';
      return kind == 'x' && std::isxdigit(byte) != 0;
    };
    while (
        end < source.size() &&
        (fits(source[end]) || (source[end] == '_' && end + 1 < source.size() &&
                               fits(source[end + 1]))))
      ++end;
    if (end > 2) return end;
  }
  std::size_t end = 1;  // zeros
  while (end < source.size() && source[end] == '0')
    ++end;
  return end;
}

}  // namespace

std::string unescaped(std::string_view literal, int line) {
  std::string text;
  for (std::size_t at = 0; at < literal.size();) {
    if (literal[at] != '\\' || at + 1 >= literal.size()) {
      text += literal[at++];
      continue;
    }
    const char kind = literal[at + 1];
    const std::string_view rest = literal.substr(at + 2);
    at += 2;
    const std::size_t simple = kSimple.find(kind);
    if (simple != std::string_view::npos) {
      text += kSimpleValues[simple];
    } else if (kind == '\n') {
      continue;
    } else if (kind == 'x') {
      at += append_numbered(text, rest, 2, 2, 16, line);
    } else if (kind == 'u') {
      at += append_numbered(text, rest, 4, 4, 16, line);
    } else if (kind == 'U') {
      at += append_numbered(text, rest, 8, 8, 16, line);
    } else if (kind == 'N') {
      fault_at(line, "'\\N' in a text is not supported; write the character");
    } else if (kind >= '0' && kind <= '7') {
      at += append_numbered(text, literal.substr(at - 1), 1, 3, 8, line) - 1;
    } else {
      text += '\\';
      --at;  // Python keeps the backslash of an escape that it does not know
      if (static_cast<unsigned char>(kind) < 0x80) {
        text += kind;
        ++at;
      } else {
        const CodePoint point = code_point_at(literal, at);
        const auto value = static_cast<std::uint32_t>(point.value);
        text += value < 0x100     ? fmt::format("x{:02x}", value)
                : value < 0x10000 ? fmt::format("u{:04x}", value)
                                  : fmt::format("U{:08x}", value);
        at += point.length;
      }
    }
  }
  return text;
}

NumberLiteral number_literal(
    std::string_view source, bool may_be_float, int line) {
  const std::size_t real = may_be_float ? float_size(source) : 0;
  if (real > 0) {
    const auto value = parse_float(source.substr(0, real));
    return {Value(value.value_or(0.0)), real};
  }
  const std::size_t size = whole_size(source);
  try {
    const auto value = parse_whole(source.substr(0, size), 0);
    return {Value(value.value_or(0)), size};
  } catch (const Fault& error) {
    throw Fault(error.what(), line);
  }
}

}  // namespace moft::jinja
