// Words as they are compared between texts.
#include "moft/core/comparable_words.h"

#include <gtest/gtest.h>

namespace moft {
namespace {

TEST(ComparableWords, AreLowerCasedWithoutOuterPunctuation) {
  const std::string text = "\"It's\" - NOT (so), Éva: 7.5!";
  const auto words = comparable_words(text);
  std::vector<std::string> plain;
  std::string shown;
  for (const ComparableWord& word : words) {
    plain.push_back(word.plain);
    shown += std::string(word.text) + "|";
  }
  const std::vector<std::string> wanted = {"it's", "not", "so", "Éva", "7.5"};
  EXPECT_EQ(plain, wanted);
  EXPECT_EQ(shown, "\"It's\"|NOT|(so),|Éva:|7.5!|");
  EXPECT_TRUE(comparable_words(" -- ... ").empty());
}

TEST(ComparableWords, RunsAreInOrderAndOfWholeWords) {
  const auto words = comparable_words("A b, c");
  const std::vector<std::string> pairs = {"a\nb\n", "b\nc\n"};
  EXPECT_EQ(word_runs(words, 2), pairs);
  EXPECT_EQ(word_runs(words, 3).size(), 1u);
  EXPECT_TRUE(word_runs(words, 4).empty());
  EXPECT_TRUE(word_runs({}, 1).empty());
}

}  // namespace
}  // namespace moft
