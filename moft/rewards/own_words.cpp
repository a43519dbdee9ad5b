// The words of an answer that it did not copy.
#include "moft/rewards/own_words.h"

#include <algorithm>
#include <set>
#include <vector>

#include "moft/core/comparable_words.h"

namespace moft {

std::string own_words(
    std::string_view answer,
    std::string_view source,
    std::size_t longest_quote) {
  const std::size_t n = longest_quote + 1;
  const std::vector<std::string> given = word_runs(comparable_words(source), n);
  const std::set<std::string_view> known(given.begin(), given.end());
  const std::vector<ComparableWord> words = comparable_words(answer);
  const std::vector<std::string> runs = word_runs(words, n);
  std::vector<bool> copied(words.size(), false);
  for (std::size_t k = 0; k < runs.size(); ++k) {
    if (known.count(runs[k]) > 0)
      std::fill_n(copied.begin() + static_cast<std::ptrdiff_t>(k), n, true);
  }
  if (std::count(copied.begin(), copied.end(), true) == 0)
    return std::string(answer);
  std::string own;
  for (std::size_t k = 0; k < words.size(); ++k) {
    if (copied[k]) continue;
    if (!own.empty()) own += ' ';
    own += words[k].text;
  }
  return own;
}

}  // namespace moft
