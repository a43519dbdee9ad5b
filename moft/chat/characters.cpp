// Characters as Python's str sees them, by utf8proc.
#include "moft/chat/characters.h"

#include <algorithm>
#include <array>
#include <span>

#include <utf8proc.h>

#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

// Upper cases of more than one character (Unicode's SpecialCasing.txt), but
// those of U+1F80 to U+1FAF, which follow a rule.
struct LongUpper {
  char32_t value;
  std::array<char32_t, 3> upper;
};

constexpr LongUpper kLongUppers[] = {
    {0x00df, {0x0053, 0x0053}},         {0x0149, {0x02bc, 0x004e}},
    {0x01f0, {0x004a, 0x030c}},         {0x0390, {0x0399, 0x0308, 0x0301}},
    {0x03b0, {0x03a5, 0x0308, 0x0301}}, {0x0587, {0x0535, 0x0552}},
    {0x1e96, {0x0048, 0x0331}},         {0x1e97, {0x0054, 0x0308}},
    {0x1e98, {0x0057, 0x030a}},         {0x1e99, {0x0059, 0x030a}},
    {0x1e9a, {0x0041, 0x02be}},         {0x1f50, {0x03a5, 0x0313}},
    {0x1f52, {0x03a5, 0x0313, 0x0300}}, {0x1f54, {0x03a5, 0x0313, 0x0301}},
    {0x1f56, {0x03a5, 0x0313, 0x0342}}, {0x1fb2, {0x1fba, 0x0399}},
    {0x1fb3, {0x0391, 0x0399}},         {0x1fb4, {0x0386, 0x0399}},
    {0x1fb6, {0x0391, 0x0342}},         {0x1fb7, {0x0391, 0x0342, 0x0399}},
    {0x1fbc, {0x0391, 0x0399}},         {0x1fc2, {0x1fca, 0x0399}},
    {0x1fc3, {0x0397, 0x0399}},         {0x1fc4, {0x0389, 0x0399}},
    {0x1fc6, {0x0397, 0x0342}},         {0x1fc7, {0x0397, 0x0342, 0x0399}},
    {0x1fcc, {0x0397, 0x0399}},         {0x1fd2, {0x0399, 0x0308, 0x0300}},
    {0x1fd3, {0x0399, 0x0308, 0x0301}}, {0x1fd6, {0x0399, 0x0342}},
    {0x1fd7, {0x0399, 0x0308, 0x0342}}, {0x1fe2, {0x03a5, 0x0308, 0x0300}},
    {0x1fe3, {0x03a5, 0x0308, 0x0301}}, {0x1fe4, {0x03a1, 0x0313}},
    {0x1fe6, {0x03a5, 0x0342}},         {0x1fe7, {0x03a5, 0x0308, 0x0342}},
    {0x1ff2, {0x1ffa, 0x0399}},         {0x1ff3, {0x03a9, 0x0399}},
    {0x1ff4, {0x038f, 0x0399}},         {0x1ff6, {0x03a9, 0x0342}},
    {0x1ff7, {0x03a9, 0x0342, 0x0399}}, {0x1ffc, {0x03a9, 0x0399}},
    {0xfb00, {0x0046, 0x0046}},         {0xfb01, {0x0046, 0x0049}},
    {0xfb02, {0x0046, 0x004c}},         {0xfb03, {0x0046, 0x0046, 0x0049}},
    {0xfb04, {0x0046, 0x0046, 0x004c}}, {0xfb05, {0x0053, 0x0054}},
    {0xfb06, {0x0053, 0x0054}},         {0xfb13, {0x0544, 0x0546}},
    {0xfb14, {0x0544, 0x0535}},         {0xfb15, {0x0544, 0x053b}},
    {0xfb16, {0x054e, 0x0546}},         {0xfb17, {0x0544, 0x053d}},
};

constexpr char32_t kCapitalIota = 0x399;
constexpr char32_t kIotaBelow = 0x345;

utf8proc_category_t category(char32_t value) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(value));
}

char32_t simple_case(char32_t value, Case to) {
  const auto point = static_cast<utf8proc_int32_t>(value);
  if (value == 0xdf) return value;
  const auto result = to == Case::kUpper   ? utf8proc_toupper(point)
                      : to == Case::kLower ? utf8proc_tolower(point)
                                           : utf8proc_totitle(point);
  return static_cast<char32_t>(result);
}

// The long upper case, ended by 0, or nothing.
std::array<char32_t, 3> long_upper(char32_t value) {
  if (value >= 0x1f80 && value <= 0x1faf) {
    constexpr std::array<char32_t, 3> kBases = {0x1f08, 0x1f28, 0x1f68};
    const char32_t base = kBases[(value - 0x1f80) / 16];
    return {base + (value & 7), kCapitalIota, 0};
  }
  const auto* row = std::lower_bound(
      std::begin(kLongUppers),
      std::end(kLongUppers),
      value,
      [](const LongUpper& each, char32_t point) { return each.value < point; });
  if (row == std::end(kLongUppers) || row->value != value) return {};
  return row->upper;
}

// Letters below another as one title character: U+1FBC and its like.
bool has_own_title(char32_t value) {
  return simple_case(value, Case::kTitle) != value || value == 0x1fbc ||
         value == 0x1fcc || value == 0x1ffc ||
         (value >= 0x1f88 && value <= 0x1faf);
}

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's Other_Uppercase and Other_Lowercase: numerals, circled and raised
// letters, which have a case without being Lu or Ll.
constexpr Range kOtherUpper[] = {
    {0x2160, 0x216f},
    {0x24b6, 0x24cf},
    {0x1f130, 0x1f149},
    {0x1f150, 0x1f169},
    {0x1f170, 0x1f189}};
constexpr Range kOtherLower[] = {
    {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},
    {0x2c0, 0x2c1},     {0x2e0, 0x2e4},     {0x345, 0x345},
    {0x37a, 0x37a},     {0x1d2c, 0x1d6a},   {0x1d78, 0x1d78},
    {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
    {0x2090, 0x209c},   {0x2170, 0x217f},   {0x24d0, 0x24e9},
    {0x2c7c, 0x2c7d},   {0xa69c, 0xa69d},   {0xa770, 0xa770},
    {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},   {0x10780, 0x10780},
    {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}};

bool is_within(char32_t value, std::span<const Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
    return value >= range.first && value <= range.last;
  });
}

}  // namespace

bool is_space(char32_t value) {
  if (value < 0x80) {
    return value == ' ' || (value >= 9 && value <= 13) ||
           (value >= 0x1c && value <= 0x1f);
  }
  return value == 0x85 || value == 0xa0 || value == 0x1680 ||
         (value >= 0x2000 && value <= 0x200a) || value == 0x2028 ||
         value == 0x2029 || value == 0x202f || value == 0x205f ||
         value == 0x3000;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = code_point_at(text, at);
    if (!is_space(point.value)) break;
    at += point.length;
  }
  return at;
}

std::size_t end_without_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t at = end - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
      --at;
    if (!is_space(code_point_at(text, at).value)) break;
    end = at;
  }
  return end;
}

void append_case(std::string& text, char32_t value, Case to) {
  if (to == Case::kLower && value == 0x130) {
    text += "i\xcc\x87";
    return;
  }
  const auto upper = long_upper(value);
  const bool is_long = upper[0] != 0 && to != Case::kLower &&
                       !(to == Case::kTitle && has_own_title(value));
  if (!is_long) {
    append_utf8(text, simple_case(value, to));
    return;
  }
  append_utf8(text, upper[0]);
  for (std::size_t i = 1; i < upper.size() && upper[i] != 0; ++i) {
    if (to == Case::kUpper) {
      append_utf8(text, upper[i]);
    } else if (upper[i] == kCapitalIota) {
      append_utf8(text, kIotaBelow);
    } else {
      append_utf8(text, simple_case(upper[i], Case::kLower));
    }
  }
}

bool is_upper(char32_t value) {
  return category(value) == UTF8PROC_CATEGORY_LU ||
         is_within(value, kOtherUpper);
}

bool is_lower(char32_t value) {
  return category(value) == UTF8PROC_CATEGORY_LL ||
         is_within(value, kOtherLower);
}

bool is_title(char32_t value) {
  return category(value) == UTF8PROC_CATEGORY_LT;
}

bool is_letter(char32_t value) {
  const auto kind = category(value);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t value) {
  return category(value) == UTF8PROC_CATEGORY_ND;
}

bool is_printable(char32_t value) {
  if (value < 0x7f) return value >= 0x20;
  const auto kind = category(value);
  return kind != UTF8PROC_CATEGORY_CN && kind < UTF8PROC_CATEGORY_ZS;
}

bool is_name_start(char32_t value) {
  if (value < 0x80) {
    return value == '_' || (value >= 'a' && value <= 'z') ||
           (value >= 'A' && value <= 'Z');
  }
  return is_letter(value) || category(value) == UTF8PROC_CATEGORY_NL;
}

bool is_name_part(char32_t value) {
  if (is_name_start(value)) return true;
  if (value < 0x80) return value >= '0' && value <= '9';
  const auto kind = category(value);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
         kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_PC;
}

}  // namespace moft::jinja
