// Text and numbers, made fit to show.
#include "moft/evaluation/markup.h"

#include <fmt/format.h>

#include "moft/core/utf8.h"

namespace moft {
namespace {

std::string_view entity(char32_t c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

bool is_control(char32_t c) {
  return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = any_code_point_at(text, at);
    at += c.length;
    const std::string_view name = entity(c.value);
    if (!name.empty()) {
      out += name;
    } else {
      append_utf8(out, is_control(c.value) ? U'\ufffd' : c.value);
    }
  }
  return out;
}

std::string shorten(std::string_view text, std::size_t length) {
  std::size_t count = 0;
  std::size_t cut = 0;  // where the last of `length` characters begins
  for (std::size_t at = 0; at < text.size(); ++count) {
    if (count + 1 == length) cut = at;
    at += any_code_point_at(text, at).length;
  }
  if (count <= length || length == 0) return std::string(text);
  return std::string(text.substr(0, cut)) + "\u2026";
}

std::string plain_number(double x, int digits) {
  std::string out = fmt::format("{:.{}f}", x, digits);
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

}  // namespace moft
