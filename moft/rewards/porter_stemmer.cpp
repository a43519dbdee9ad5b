// The Porter stemmer: its rules as tables, then its steps.
#include "moft/rewards/porter_stemmer.h"

#include <array>
#include <span>
#include <utility>

namespace moft {
namespace {

using Rule = std::pair<std::string_view, std::string_view>;

constexpr std::array<Rule, 16> kIrregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

// Looked through in order: the first suffix that matches decides, even when
// its condition then fails.
constexpr std::array<Rule, 21> kStep2 = {{
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},
    {"anci", "ance"},   {"izer", "ize"},    {"bli", "ble"},
    {"alli", "al"},     {"entli", "ent"},   {"eli", "e"},
    {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
    {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"},
    {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
    {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"},
}};

constexpr std::array<Rule, 7> kStep3 = {{
    {"icate", "ic"},
    {"ative", ""},
    {"alize", "al"},
    {"iciti", "ic"},
    {"ical", "ic"},
    {"ful", ""},
    {"ness", ""},
}};

constexpr std::array<std::string_view, 19> kStep4 = {
    "al",
    "ance",
    "ence",
    "er",
    "ic",
    "able",
    "ible",
    "ant",
    "ement",
    "ment",
    "ent",
    "ion",
    "ou",
    "ism",
    "ate",
    "iti",
    "ous",
    "ive",
    "ize"};

bool is_vowel_letter(char c) {
  return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

// A y is a consonant at the beginning and after a vowel.
bool is_consonant(std::string_view word, std::size_t i) {
  if (is_vowel_letter(word[i])) return false;
  if (word[i] != 'y') return true;
  // A run of y's alternates; what precedes it decides its first.
  std::size_t first = i;
  while (first > 0 && word[first - 1] == 'y')
    --first;
  const bool first_is = first == 0 || is_vowel_letter(word[first - 1]);
  return ((i - first) % 2 == 0) == first_is;
}

// The number of changes from vowel to consonant.
int measure(std::string_view stem) {
  int changes = 0;
  bool after_vowel = false;
  for (std::size_t i = 0; i < stem.size(); ++i) {
    const bool consonant = is_consonant(stem, i);
    if (consonant && after_vowel) ++changes;
    after_vowel = !consonant;
  }
  return changes;
}

bool has_vowel(std::string_view stem) {
  for (std::size_t i = 0; i < stem.size(); ++i) {
    if (!is_consonant(stem, i)) return true;
  }
  return false;
}

// Consonant, vowel, consonant other than w, x, y; or a vowel and a consonant.
bool ends_short(std::string_view stem) {
  const std::size_t n = stem.size();
  if (n == 2) return !is_consonant(stem, 0) && is_consonant(stem, 1);
  if (n < 3) return false;
  const char last = stem[n - 1];
  return is_consonant(stem, n - 3) && !is_consonant(stem, n - 2) &&
         is_consonant(stem, n - 1) && last != 'w' && last != 'x' && last != 'y';
}

std::string_view without(std::string_view word, std::size_t letters) {
  return word.substr(0, word.size() - letters);
}

void shorten(std::string& word, std::size_t letters) {
  word.resize(word.size() - letters);
}

void apply_first(std::string& word, std::span<const Rule> rules) {
  for (const auto& [suffix, replacement] : rules) {
    if (!word.ends_with(suffix)) continue;
    if (measure(without(word, suffix.size())) > 0) {
      shorten(word, suffix.size());
      word += replacement;
    }
    return;
  }
}

void plural(std::string& word) {
  if (word.ends_with("ies") && word.size() == 4) {
    shorten(word, 1);
  } else if (word.ends_with("sses") || word.ends_with("ies")) {
    shorten(word, 2);
  } else if (word.ends_with("s") && !word.ends_with("ss")) {
    shorten(word, 1);
  }
}

// What is left after ed or ing was taken off.
void repair_ending(std::string& word) {
  const std::size_t n = word.size();
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word += 'e';
  } else if (
      n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1)) {
    const char last = word[n - 1];
    if (last != 'l' && last != 's' && last != 'z') shorten(word, 1);
  } else if (measure(word) == 1 && ends_short(word)) {
    word += 'e';
  }
}

void past_and_gerund(std::string& word) {
  if (word.ends_with("ied")) {
    shorten(word, word.size() == 4 ? 1 : 2);
  } else if (word.ends_with("eed")) {
    if (measure(without(word, 3)) > 0) shorten(word, 1);
  } else {
    for (const std::string_view suffix : {"ed", "ing"}) {
      if (!word.ends_with(suffix)) continue;
      if (!has_vowel(without(word, suffix.size()))) continue;
      shorten(word, suffix.size());
      repair_ending(word);
      return;
    }
  }
}

void final_y(std::string& word) {
  const std::size_t n = word.size();
  if (n > 2 && word.back() == 'y' && is_consonant(word, n - 2))
    word.back() = 'i';
}

void step2(std::string& word) {
  while (word.ends_with("alli") && measure(without(word, 4)) > 0)
    shorten(word, 2);
  for (const auto& rule : kStep2) {
    if (word.ends_with(rule.first)) {
      apply_first(word, {&rule, 1});
      return;
    }
  }
  if (word.ends_with("logi") && measure(without(word, 3)) > 0) shorten(word, 1);
}

void step4(std::string& word) {
  for (const std::string_view suffix : kStep4) {
    if (!word.ends_with(suffix)) continue;
    const std::string_view stem = without(word, suffix.size());
    const bool fits =
        suffix != "ion" || stem.ends_with('s') || stem.ends_with('t');
    if (fits && measure(stem) > 1) shorten(word, suffix.size());
    return;
  }
}

void tidy(std::string& word) {
  if (word.ends_with('e')) {
    const std::string_view stem = without(word, 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_short(stem))) shorten(word, 1);
  }
  if (word.ends_with("ll") && measure(without(word, 1)) > 1) shorten(word, 1);
}

}  // namespace

std::string porter_stem(std::string_view word) {
  for (const auto& [irregular, stem] : kIrregular) {
    if (word == irregular) return std::string(stem);
  }
  std::string result(word);
  if (result.size() <= 2) return result;
  plural(result);
  past_and_gerund(result);
  final_y(result);
  step2(result);
  apply_first(result, kStep3);
  step4(result);
  tidy(result);
  return result;
}

}  // namespace moft
