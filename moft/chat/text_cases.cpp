// Cases of marked text, one character at a time.
#include "moft/chat/text_cases.h"

#include <algorithm>
#include <array>
#include <utility>

#include "moft/chat/characters.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

constexpr char32_t kSigma = 0x3a3;

bool has_case(char32_t value) {
  return is_upper(value) || is_lower(value) || is_title(value);
}

// Characters that do not part a word for the rule of the final sigma.
bool is_ignored(char32_t value) {
  return value == '\'' || value == '.' || value == ':' || value == '^' ||
         value == '`' || value == 0xa8 || value == 0xad || value == 0xaf ||
         value == 0xb4 || value == 0xb7 || value == 0xb8 || value == 0x2019 ||
         (value >= 0x300 && value <= 0x36f) ||
         (value >= 0x200b && value <= 0x200f);
}

std::size_t start_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

// Whether the sigma at text[at] ends a word: a letter before it, none after.
bool is_final_sigma(std::string_view text, std::size_t at) {
  std::size_t before = at;
  char32_t last = 0;
  while (before > 0) {
    before = start_before(text, before);
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

// Appends the character at text[at] in a case.
void append_in_case(
    MarkedText& result, const MarkedText& text, std::size_t at, Case to) {
  const CodePoint point = code_point_at(text.bytes(), at);
  std::string bytes;
  if (to == Case::kLower && point.value == kSigma &&
      is_final_sigma(text.bytes(), at)) {
    append_utf8(bytes, 0x3c2);
  } else {
    append_case(bytes, point.value, to);
  }
  result.append(bytes, text.marks_at(at));
}

// Each character in the case that `choose(value)` names, in order.
template <typename Choose>
MarkedText in_cases(const MarkedText& text, Choose choose) {
  MarkedText result;
  const std::string& bytes = text.bytes();
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = code_point_at(bytes, at);
    append_in_case(result, text, at, choose(point.value));
    at += point.length;
  }
  return result;
}

bool parts_words(char32_t value) {
  return value == '-' || value == '(' || value == '{' || value == '[' ||
         value == '<' || is_space(value);
}

using Question = bool (*)(char32_t);

bool is_number_like(char32_t value) {
  return is_decimal(value);
}
bool is_letter_or_number(char32_t value) {
  return is_letter(value) || is_decimal(value);
}
bool is_ascii(char32_t value) {
  return value < 0x80;
}

constexpr std::pair<std::string_view, Question> kQuestions[] = {
    {"isspace", is_space},
    {"isdigit", is_number_like},
    {"isdecimal", is_number_like},
    {"isnumeric", is_number_like},
    {"isalpha", is_letter},
    {"isalnum", is_letter_or_number},
    {"isascii", is_ascii},
};

template <typename Ask>
bool holds_for_all(std::string_view bytes, Ask ask) {
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = code_point_at(bytes, at);
    if (!ask(point.value)) return false;
    at += point.length;
  }
  return true;
}

// Some character has the case, and none another one.
bool is_all(std::string_view bytes, Question wanted) {
  bool some = false;
  return holds_for_all(
             bytes,
             [&](char32_t value) {
               some = some || wanted(value);
               return wanted(value) || !has_case(value);
             }) &&
         some;
}

}  // namespace

MarkedText upper(const MarkedText& text) {
  return in_cases(text, [](char32_t) { return Case::kUpper; });
}

MarkedText lower(const MarkedText& text) {
  return in_cases(text, [](char32_t) { return Case::kLower; });
}

MarkedText capitalize(const MarkedText& text) {
  bool first = true;
  return in_cases(text, [&](char32_t) {
    return std::exchange(first, false) ? Case::kTitle : Case::kLower;
  });
}

MarkedText title(const MarkedText& text) {
  bool in_word = false;
  return in_cases(text, [&](char32_t value) {
    const Case to = in_word ? Case::kLower : Case::kTitle;
    in_word = has_case(value);
    return to;
  });
}

MarkedText title_words(const MarkedText& text) {
  // The filter writes the first character of every piece in upper case, and
  // the parting ones are pieces too.
  bool at_start = true;
  bool parting = false;
  return in_cases(text, [&](char32_t value) {
    const bool parts = parts_words(value);
    at_start = at_start || parts != parting;
    parting = parts;
    return std::exchange(at_start, false) ? Case::kUpper : Case::kLower;
  });
}

bool knows_question(std::string_view name) {
  return name == "isupper" || name == "islower" ||
         std::any_of(
             std::begin(kQuestions), std::end(kQuestions), [&](const auto& q) {
               return q.first == name;
             });
}

bool answer(const MarkedText& text, std::string_view name) {
  if (name == "isupper") return is_all(text.bytes(), is_upper);
  if (name == "islower") return is_all(text.bytes(), is_lower);
  if (text.empty()) return name == "isascii";
  for (const auto& [question, ask] : kQuestions) {
    if (question == name) return holds_for_all(text.bytes(), ask);
  }
  return false;
}

}  // namespace moft::jinja
