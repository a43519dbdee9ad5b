// Says why a line is not JSON.
#include "moft/data/json_fault.h"

#include <cctype>
#include <charconv>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/core/utf8.h"
#include "moft/data/file_kind.h"

namespace moft {
namespace {

// The code of a JSON escape, "u" and four digits, that begins at a byte.
std::optional<unsigned> escaped_code(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text.substr(at, 2) != "\\u") return std::nullopt;
  unsigned code = 0;
  const char* end = text.data() + at + 6;
  const auto read = std::from_chars(text.data() + at + 2, end, code, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return code;
}

// The first escape before `end` that is half of a surrogate pair without the
// other half.
std::optional<std::size_t> lone_surrogate(
    std::string_view line, std::size_t end) {
  const auto is_in = [](std::optional<unsigned> code, unsigned first) {
    return code && *code >= first && *code < first + 0x400;
  };
  for (std::size_t at = 0; at < end && at < line.size(); ++at) {
    if (line[at] != '\\') continue;
    const auto code = escaped_code(line, at);
    if (is_in(code, 0xDC00)) return at;
    if (is_in(code, 0xD800)) {
      if (!is_in(escaped_code(line, at + 6), 0xDC00)) return at;
      at += 6;
    }
    ++at;  // an escaped backslash begins no escape
  }
  return std::nullopt;
}

// The word or sign at a byte, for a message.
std::string_view token_at(std::string_view line, std::size_t at) {
  const auto is_word = [&](std::size_t i) {
    return i < line.size() &&
           (std::isalnum(static_cast<unsigned char>(line[i])) ||
            line[i] == '_' || line[i] == '.');
  };
  if (!is_word(at)) return line.substr(at, 1);
  std::size_t begin = at, end = at;
  while (begin > 0 && is_word(begin - 1))
    --begin;
  while (is_word(end))
    ++end;
  const bool minus = begin > 0 && line[begin - 1] == '-';
  return line.substr(begin - (minus ? 1 : 0), end - begin + (minus ? 1 : 0));
}

std::string advice_on(std::string_view token) {
  if (token.ends_with("NaN") || token.ends_with("nan") ||
      token.ends_with("Infinity") || token.ends_with("inf"))
    return "which JSON does not have; write null or a number";
  if (token == "None") return "Python's word; write null";
  if (token == "True" || token == "False")
    return "Python's word; write true or false";
  if (token == "'") return "JSON puts texts in double quotes";
  if (token == "/" || token == "#") return "JSON has no comments";
  if (token == "}" || token == "]")
    return "perhaps after one comma too many; JSON has none before a closing "
           "bracket";
  return {};
}

}  // namespace

std::string describe_json_fault(
    std::string_view line, std::size_t byte, const std::string& path) {
  if (const std::size_t bad = first_invalid_utf8(line); bad < line.size()) {
    return fmt::format(
        "not UTF-8: byte {} is 0x{:02X}; the file may be Latin-1 or "
        "Windows-1252, convert it: {}",
        bad + 1,
        static_cast<unsigned char>(line[bad]),
        command_to_utf8(path, "WINDOWS-1252"));
  }
  if (const auto half = lone_surrogate(line, byte)) {
    return fmt::format(
        "not JSON: byte {} is {}, half of a surrogate pair; write both halves, "
        "or remove it",
        *half + 1,
        line.substr(*half, 6));
  }
  const std::size_t at = byte > 0 ? byte - 1 : 0;
  if (at >= line.size() || trimmed(line.substr(at)).empty()) {
    return fmt::format(
        "not JSON: the line ends after {} bytes, before its object does; write "
        "each object on one line",
        line.size());
  }
  const auto sign = static_cast<unsigned char>(line[at]);
  if (sign < 0x20) {
    return fmt::format(
        "not JSON: byte {} is the control character 0x{:02X}; inside a text "
        "write \\u{:04x}",
        byte,
        sign,
        sign);
  }
  const std::string_view token = token_at(line, at);
  const std::string advice = advice_on(token);
  return fmt::format(
      "not JSON: byte {} is {}{}; write one JSON object per line",
      byte,
      quote_text(token),
      advice.empty() ? "" : ", " + advice);
}

}  // namespace moft
