// Words and blanks, by ranges of Unicode.
#include "moft/core/words.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's White_Space property (PropList.txt, 15.0).
constexpr Range kWhiteSpace[] = {
    {0x0009, 0x000d},
    {0x0020, 0x0020},
    {0x0085, 0x0085},
    {0x00a0, 0x00a0},
    {0x1680, 0x1680},
    {0x2000, 0x200a},
    {0x2028, 0x2029},
    {0x202f, 0x202f},
    {0x205f, 0x205f},
    {0x3000, 0x3000}};

// General categories Cc and Cf, and Default_Ignorable_Code_Point (15.0).
constexpr Range kInvisibleRanges[] = {
    {0x0000, 0x0008},   {0x000e, 0x001f},   {0x007f, 0x009f},
    {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},
    {0x0890, 0x0891},   {0x08e2, 0x08e2},   {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},
    {0x202a, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe0fff}};

// Han ideographs, hiragana and katakana with their marks of length and
// repetition.
constexpr Range kWordSigns[] = {
    {0x2e80, 0x2fd5},
    {0x3005, 0x3007},
    {0x3021, 0x3029},
    {0x3031, 0x3035},
    {0x3038, 0x303c},
    {0x3041, 0x3096},
    {0x309d, 0x309f},
    {0x30a1, 0x30fa},
    {0x30fc, 0x30ff},
    {0x31f0, 0x31ff},
    {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},
    {0xf900, 0xfaff},
    {0xff66, 0xff9d},
    {0x16fe2, 0x16fe3},
    {0x1aff0, 0x1b16f},
    {0x20000, 0x2fa1f},
    {0x30000, 0x323af}};

// Punctuation that is met beside such signs, and the marks that modify a kana
// before them.
constexpr Range kPunctuationRanges[] = {
    {0x0021, 0x002f}, {0x003a, 0x0040}, {0x005b, 0x0060}, {0x007b, 0x007e},
    {0x00a1, 0x00a1}, {0x00a7, 0x00a7}, {0x00ab, 0x00ab}, {0x00b6, 0x00b7},
    {0x00bb, 0x00bb}, {0x00bf, 0x00bf}, {0x2010, 0x2027}, {0x2030, 0x205e},
    {0x3001, 0x3003}, {0x3008, 0x3011}, {0x3014, 0x301f}, {0x3030, 0x3030},
    {0x303d, 0x303d}, {0x3099, 0x309c}, {0x30a0, 0x30a0}, {0x30fb, 0x30fb},
    {0xfe10, 0xfe19}, {0xfe30, 0xfe6b}, {0xff01, 0xff0f}, {0xff1a, 0xff20},
    {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xff9e, 0xff9f}};

bool is_in(std::span<const Range> ranges, char32_t value) {
  const auto after = std::upper_bound(
      ranges.begin(),
      ranges.end(),
      value,
      [](char32_t point, const Range& range) { return point < range.first; });
  return after != ranges.begin() && value <= std::prev(after)->last;
}

enum class CharacterKind { kSpace, kInvisible, kSign, kPunctuation, kOther };

CharacterKind kind_of(char32_t value) {
  if (is_in(kWhiteSpace, value)) return CharacterKind::kSpace;
  if (is_in(kInvisibleRanges, value)) return CharacterKind::kInvisible;
  if (is_in(kWordSigns, value)) return CharacterKind::kSign;
  if (is_in(kPunctuationRanges, value)) return CharacterKind::kPunctuation;
  return CharacterKind::kOther;
}

// The words of one run between white space.
void split_run(std::string_view run, std::vector<std::string_view>& words) {
  std::size_t begin = 0;     // of the stretch without signs
  bool wordlike = false;     // it holds more than punctuation
  bool punctuation = false;  // it holds punctuation
  bool signs = false;        // the run holds signs
  const auto end_stretch = [&](std::size_t end, bool sign_follows) {
    const bool alone = !signs && !sign_follows;
    if (wordlike || (punctuation && alone))
      words.push_back(run.substr(begin, end - begin));
    wordlike = punctuation = false;
  };
  for (std::size_t at = 0; at < run.size();) {
    const CodePoint character = any_code_point_at(run, at);
    const CharacterKind kind = kind_of(character.value);
    if (kind == CharacterKind::kSign) {
      end_stretch(at, /*sign_follows=*/true);
      words.push_back(run.substr(at, character.length));
      signs = true;
      begin = at + character.length;
    }
    wordlike = wordlike || kind == CharacterKind::kOther;
    punctuation = punctuation || kind == CharacterKind::kPunctuation;
    at += character.length;
  }
  end_stretch(run.size(), /*sign_follows=*/false);
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = any_code_point_at(text, at);
    if (is_in(kWhiteSpace, character.value)) {
      split_run(text.substr(begin, at - begin), words);
      begin = at + character.length;
    }
    at += character.length;
  }
  split_run(text.substr(begin), words);
  return words;
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const CodePoint character = any_code_point_at(text, 0);
    const CharacterKind kind = kind_of(character.value);
    if (kind != CharacterKind::kSpace && kind != CharacterKind::kInvisible)
      return false;
    text.remove_prefix(character.length);
  }
  return true;
}

std::int64_t count_words(std::string_view text) {
  return std::ssize(split_words(text));
}

}  // namespace moft
