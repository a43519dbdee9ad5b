// Words as they are compared between texts.
#include "moft/core/comparable_words.h"

#include "moft/core/words.h"

namespace moft {
namespace {

bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::string plain_form(std::string_view word) {
  while (!word.empty() && is_punctuation(word.front()))
    word.remove_prefix(1);
  while (!word.empty() && is_punctuation(word.back()))
    word.remove_suffix(1);
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

std::vector<ComparableWord> comparable_words(std::string_view text) {
  std::vector<ComparableWord> words;
  for (const std::string_view word : split_words(text)) {
    std::string plain = plain_form(word);
    if (!plain.empty()) words.push_back({word, std::move(plain)});
  }
  return words;
}

std::vector<std::string> word_runs(
    const std::vector<ComparableWord>& words, std::size_t n) {
  std::vector<std::string> runs;
  for (std::size_t k = 0; k + n <= words.size(); ++k) {
    std::string& run = runs.emplace_back();
    for (std::size_t i = 0; i < n; ++i)
      run += words[k + i].plain + "\n";
  }
  return runs;
}

}  // namespace moft
