#include "moft/core/text.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace moft {
namespace {

TEST(EditDistance, IsTheTextbooksNumber) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("stpes", "steps"), 1u);  // one swap
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  // No place is edited twice: the swapped pair cannot take in the 'b'.
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);
}

TEST(EditDistance, IsSymmetricAndBounded) {
  std::vector<std::string> words = {"", "a", "steps", "stpes", "betas", "beat"};
  for (const std::string& a : words) {
    for (const std::string& b : words) {
      EXPECT_EQ(edit_distance(a, b), edit_distance(b, a));
      EXPECT_LE(edit_distance(a, b), std::max(a.size(), b.size()));
      EXPECT_EQ(edit_distance(a, b) == 0, a == b);
    }
  }
}

TEST(NearestName, FindsSlipsAndNothingElse) {
  std::vector<std::string> names = {"steps", "seed", "betas", "kl_strength"};
  EXPECT_EQ(nearest_name("stpes", names), "steps");
  EXPECT_EQ(nearest_name("kl_strenght", names), "kl_strength");
  EXPECT_EQ(nearest_name("KL_strength", names), "kl_strength");
  EXPECT_EQ(nearest_name("temperature", names), std::nullopt);
  EXPECT_EQ(nearest_name("x", names), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100000, 's'), names), std::nullopt);
}

TEST(NearestName, TakesTheFirstOfEquals) {
  std::vector<std::string> names = {"beta", "zeta"};
  EXPECT_EQ(nearest_name("eta", names), "beta");
}

TEST(Numbers, AreShortestAndReadBack) {
  EXPECT_EQ(shortest_number(0.1), "0.1");
  EXPECT_EQ(shortest_number(3.0), "3");
  EXPECT_EQ(shortest_number(5e-4), "0.0005");
  EXPECT_EQ(shortest_number(1e-5), "1e-05");
  EXPECT_EQ(shortest_number(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(shortest_number(5e-324), "5e-324");
}

TEST(Numbers, HaveNothingAroundThem) {
  EXPECT_EQ(parse_real("-2.5e3"), -2500.0);
  EXPECT_EQ(parse_real(".5"), 0.5);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(
      parse_integer("9223372036854775807"),
      std::numeric_limits<std::int64_t>::max());
  for (std::string text :
       {"", " 1", "1 ", "+1", "0x10", "inf", "nan", "1e400", "1,5", "one"}) {
    EXPECT_EQ(parse_real(text), std::nullopt) << text;
  }
  for (std::string text : {"", "1.0", "1e3", "9223372036854775808", "- 1"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
}

TEST(QuoteText, IsOneSafeLine) {
  EXPECT_EQ(quote_text("plain"), "'plain'");
  EXPECT_EQ(quote_text("a\nb\x1b[31m\x7f"), "'a\\nb\\x1b[31m\\x7f'");
  EXPECT_EQ(quote_text("caf\xC3\xA9"), "'caf\xC3\xA9'");
  EXPECT_EQ(quote_text("bad \xC3"), "'bad \\xc3'");
  EXPECT_EQ(quote_text("abcdef", 4), "'abcd..'");
  // A character is never cut in two.
  EXPECT_EQ(quote_text("abc\xC3\xA9", 4), "'abc..'");
}

TEST(Pieces, SplitJoinTrimCount) {
  EXPECT_EQ(split("a..b", '.'), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", '.'), (std::vector<std::string>{""}));
  EXPECT_EQ(join(split("x,y,z", ','), ", "), "x, y, z");
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed(split("x", ',')), "x");
  EXPECT_EQ(listed(split("x,y", ',')), "x and y");
  EXPECT_EQ(listed(split("x,y,z", ',')), "x, y and z");
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(count_words(""), 0);
  EXPECT_EQ(count_words("  one\ttwo\n\nthree "), 3);
}

}  // namespace
}  // namespace moft
