// Cases by utf8proc, one character at a time, and what a text consists of.
#include "moft/chat/text_cases.h"

#include <algorithm>
#include <array>
#include <utility>

#include <utf8proc.h>

#include "moft/chat/text_functions.h"
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

utf8proc_category_t kind_of(char32_t value) {
  return utf8proc_category(point_of(value));
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
  if (parts[1] == 0 || kind_of(value) == UTF8PROC_CATEGORY_LU)
    return append_utf8(bytes, upper_of(value));
  for (std::size_t i = 0; parts[i] != 0; ++i)
    append_utf8(bytes, upper_of(parts[i]));
}

void append_title(std::string& bytes, char32_t value) {
  const auto title = static_cast<char32_t>(utf8proc_totitle(point_of(value)));
  const auto parts = folded(value);
  const bool has_own = kind_of(value) == UTF8PROC_CATEGORY_LU ||
                       kind_of(value) == UTF8PROC_CATEGORY_LT ||
                       (title != value && value != kSharpS);
  if (parts[1] == 0 || has_own) return append_utf8(bytes, title);
  append_utf8(bytes, upper_of(parts[0]));
  for (std::size_t i = 1; parts[i] != 0; ++i)
    append_utf8(bytes, parts[i] == kIota ? kIotaBelow : parts[i]);
}

bool has_case(char32_t value) {
  return kind_of(value) == UTF8PROC_CATEGORY_LT ||
         utf8proc_toupper(point_of(value)) != utf8proc_tolower(point_of(value));
}

bool is_upper(char32_t value) {
  const auto kind = kind_of(value);
  return kind == UTF8PROC_CATEGORY_LU ||
         (kind != UTF8PROC_CATEGORY_LT && has_case(value) &&
          utf8proc_tolower(point_of(value)) != point_of(value));
}

bool is_lower(char32_t value) {
  return kind_of(value) == UTF8PROC_CATEGORY_LL ||
         (has_case(value) &&
          utf8proc_tolower(point_of(value)) == point_of(value));
}

// Characters that do not part a word for the rule of the final sigma.
bool is_ignored(char32_t value) {
  const auto kind = kind_of(value);
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

// The first character of each word by `append_first`, the others in lower
// case; `begins(value)` says of each character whether the next is a first.
template <typename Append, typename Begins>
MarkedText in_words(
    const MarkedText& text, const Append& append_first, const Begins& begins) {
  bool at_start = true;
  return in_case(text, [&](std::string& bytes, char32_t value, std::size_t at) {
    if (std::exchange(at_start, begins(value))) {
      append_first(bytes, value);
    } else {
      append_lower(bytes, text.bytes(), at);
    }
  });
}

bool is_letter(char32_t value) {
  const auto kind = kind_of(value);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t value) {
  return kind_of(value) == UTF8PROC_CATEGORY_ND;
}
bool is_letter_or_number(char32_t value) {
  const auto kind = kind_of(value);
  return is_letter(value) || is_decimal(value) ||
         kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

using Question = bool (*)(char32_t);
constexpr std::pair<std::string_view, Question> kQuestions[] = {
    {"isalnum", is_letter_or_number},
    {"isalpha", is_letter},
    {"isascii", [](char32_t value) { return value < 0x80; }},
    {"isdecimal", is_decimal},
    {"isdigit", is_decimal},
    {"islower", is_lower},
    {"isspace", is_space},
    {"isupper", is_upper},
};

}  // namespace

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
  return in_words(text, append_title, [](char32_t) { return false; });
}

MarkedText title(const MarkedText& text) {
  return in_words(
      text, append_title, [](char32_t value) { return !has_case(value); });
}

MarkedText title_words(const MarkedText& text) {
  // The filter begins a word behind white space and opening brackets.
  return in_words(text, append_upper, [](char32_t value) {
    return is_space(value) || value == '-' || value == '(' || value == '{' ||
           value == '[' || value == '<';
  });
}

std::size_t count_words(const MarkedText& text) {
  std::size_t count = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.bytes(), at);
    const bool is_part = point.value == '_' || is_letter_or_number(point.value);
    if (is_part && !in_word) ++count;
    in_word = is_part;
    at += point.length;
  }
  return count;
}

bool knows_question(std::string_view name) {
  return std::any_of(
      std::begin(kQuestions), std::end(kQuestions), [&](const auto& each) {
        return each.first == name;
      });
}

bool answer(const MarkedText& text, std::string_view name) {
  const bool of_case = name == "islower" || name == "isupper";
  const auto* question = std::find_if(
      std::begin(kQuestions), std::end(kQuestions), [&](const auto& each) {
        return each.first == name;
      });
  bool some = name == "isascii";
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.bytes(), at);
    const bool holds = question->second(point.value);
    // Characters without a case do not count.
    if (!holds && !(of_case && !has_case(point.value))) return false;
    some = some || holds;
    at += point.length;
  }
  return some;
}

}  // namespace moft::jinja
