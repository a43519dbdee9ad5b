// The words of an answer that it did not copy.
#include "moft/rewards/own_words.h"

#include <gtest/gtest.h>

namespace moft {
namespace {

const std::string kPost =
    "The quick brown fox jumps over the lazy dog. It rained.";

TEST(OwnWords, ShortQuotesStay) {
  for (const std::string answer :
       {" a quick brown fox,  near the lazy dog. ",
        "quick brown fox over the lazy",
        "",
        "dog it jumps"})
    EXPECT_EQ(own_words(answer, kPost, 3), answer);
}

TEST(OwnWords, LongRunsGoWholeAndNothingElseDoes) {
  EXPECT_EQ(own_words("Quick brown, fox JUMPS!", kPost, 3), "");
  EXPECT_EQ(
      own_words("Quick brown, fox JUMPS!", kPost, 4),
      "Quick brown, fox JUMPS!");
  // Six words in a row, of which every four overlap the next.
  EXPECT_EQ(
      own_words("say: the quick brown fox jumps over (a) fence", kPost, 3),
      "say: (a) fence");
  // Two runs with a word of one's own between them; sentences do not part one.
  EXPECT_EQ(
      own_words("the quick brown fox and the lazy dog it rained", kPost, 3),
      "and");
  // Each run of the length counts, also where the source has it twice.
  EXPECT_EQ(own_words("b a b a b", "a b a b", 1), "");
}

TEST(OwnWords, OfAnythingButTheSourceAreAll) {
  EXPECT_EQ(own_words("one two three four", "", 1), "one two three four");
  EXPECT_EQ(own_words("one two", "two one", 1), "one two");
}

}  // namespace
}  // namespace moft
