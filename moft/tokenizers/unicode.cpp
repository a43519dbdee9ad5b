// Normal forms and classes of code points, by utf8proc.
#include "moft/tokenizers/unicode.h"

#include <algorithm>
#include <array>
#include <new>
#include <vector>

#include <utf8proc.h>

namespace moft {
namespace {

const utf8proc_property_t& property(char32_t value) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(value));
}

// True when a text made of such code points only is its own NFC: nothing here
// decomposes, reorders or joins the code point before it.
bool is_inert(char32_t value) {
  if (value < 0x300) return true;
  if (value >= 0x1100 && value <= 0x11ff) return false;  // Hangul parts
  const utf8proc_property_t& entry = property(value);
  return entry.combining_class == 0 && entry.decomp_seqindex == 0xffff &&
         entry.comb_index == 0xffff;
}

bool is_plainly_nfc(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0xcc) {
      ++at;  // ASCII, or a part of a code point below U+0300
      continue;
    }
    const CodePoint point = code_point_at(text, at);
    if (!is_inert(point.value)) return false;
    at += point.length;
  }
  return true;
}

void sort_marks(std::vector<utf8proc_int32_t>& points) {
  const auto rank = [](utf8proc_int32_t value) {
    return utf8proc_get_property(value)->combining_class;
  };
  for (std::size_t at = 0; at < points.size();) {
    if (rank(points[at]) == 0) {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    while (end < points.size() && rank(points[end]) != 0)
      ++end;
    std::stable_sort(
        points.begin() + at, points.begin() + end, [&](auto a, auto b) {
          return rank(a) < rank(b);
        });
    at = end;
  }
}

std::vector<utf8proc_int32_t> decompose(
    std::string_view text, bool compatibility) {
  int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
  if (compatibility) options |= UTF8PROC_COMPAT;
  std::vector<utf8proc_int32_t> points;
  points.reserve(text.size());
  std::array<utf8proc_int32_t, 64> buffer;  // the longest known needs 18
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    at += point.length;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(point.value),
        buffer.data(),
        buffer.size(),
        static_cast<utf8proc_option_t>(options),
        &boundary);
    if (count <= 0 || count > static_cast<utf8proc_ssize_t>(buffer.size())) {
      points.push_back(static_cast<utf8proc_int32_t>(point.value));
    } else {
      points.insert(points.end(), buffer.begin(), buffer.begin() + count);
    }
  }
  sort_marks(points);
  return points;
}

utf8proc_category_t category(char32_t value) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(value));
}

}  // namespace

std::string normalise(std::string_view text, NormalForm form) {
  if (form == NormalForm::kNfc && is_plainly_nfc(text)) {
    return std::string(text);
  }
  const bool compatibility =
      form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  std::vector<utf8proc_int32_t> points = decompose(text, compatibility);
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) {
    const auto count = utf8proc_normalize_utf32(
        points.data(),
        static_cast<utf8proc_ssize_t>(points.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (count >= 0) points.resize(static_cast<std::size_t>(count));
  }
  std::string result;
  result.reserve(text.size());
  for (const auto value : points) {
    append_utf8(result, static_cast<char32_t>(value));
  }
  return result;
}

bool is_white_space(char32_t value) {
  if (value < 0x80) return value == ' ' || (value >= 9 && value <= 13);
  if (value == 0x85) return true;
  const auto kind = category(value);
  return kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
         kind == UTF8PROC_CATEGORY_ZP;
}

bool is_number(char32_t value) {
  if (value < 0x80) return value >= '0' && value <= '9';
  const auto kind = category(value);
  return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

bool is_punctuation(char32_t value) {
  const auto kind = category(value);
  return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}

bool is_nonspacing_mark(char32_t value) {
  return value >= 0x300 && category(value) == UTF8PROC_CATEGORY_MN;
}

bool is_other(char32_t value) {
  const auto kind = category(value);
  return kind == UTF8PROC_CATEGORY_CC || kind == UTF8PROC_CATEGORY_CF ||
         kind == UTF8PROC_CATEGORY_CO;
}

bool is_word(char32_t value) {
  const auto kind = category(value);
  // Letters and marks are neighbours in utf8proc's list of categories.
  if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_ME) return true;
  if (kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL) return true;
  if (kind == UTF8PROC_CATEGORY_PC) return true;
  if (value == 0x200c || value == 0x200d) return true;
  // Circled and squared letters are alphabetic symbols.
  return (value >= 0x24b6 && value <= 0x24e9) ||
         (value >= 0x1f130 && value <= 0x1f149) ||
         (value >= 0x1f150 && value <= 0x1f169) ||
         (value >= 0x1f170 && value <= 0x1f189);
}

void append_lower(std::string& text, char32_t value) {
  if (value < 0x80) {
    const bool upper = value >= 'A' && value <= 'Z';
    text.push_back(static_cast<char>(upper ? value + 32 : value));
  } else if (value == 0x130) {
    // The one code point whose lower case has two: i and a dot above.
    text.push_back('i');
    append_utf8(text, 0x307);
  } else {
    append_utf8(
        text,
        static_cast<char32_t>(
            utf8proc_tolower(static_cast<utf8proc_int32_t>(value))));
  }
}

}  // namespace moft
