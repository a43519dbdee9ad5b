#include "moft/core/words.h"

#include <gtest/gtest.h>

#include "moft/core/text.h"

namespace moft {
namespace {

using Words = std::vector<std::string_view>;

TEST(SplitWords, EnglishIsCutAtWhiteSpace) {
  EXPECT_EQ(
      split_words("  It's\tfine,\nisn't it ? "),
      (Words{"It's", "fine,", "isn't", "it", "?"}));
  EXPECT_EQ(split_words(""), Words{});
  EXPECT_EQ(split_words(" \n\t\v\f\r"), Words{});
}

// Every character of Unicode's White_Space property separates.
TEST(SplitWords, AllOfUnicodesWhiteSpaceSeparates) {
  const Words spaces = {"\t",     "\n",     "\v",     "\f",     "\r",
                        " ",      "\u0085", "\u00a0", "\u1680", "\u2000",
                        "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
                        "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                        "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  ASSERT_EQ(spaces.size(), 25u);
  for (const std::string_view space : spaces) {
    const std::string text = "one" + std::string(space) + "two";
    EXPECT_EQ(split_words(text), (Words{"one", "two"})) << text;
  }
}

TEST(SplitWords, EachIdeographAndKanaIsAWord) {
  EXPECT_EQ(count_words("今天天气很好"), 6);
  EXPECT_EQ(count_words("今天天气很好。我们去公园，好吗？"), 13);
  EXPECT_EQ(split_words("ひらカナ漢"), (Words{"ひ", "ら", "カ", "ナ", "漢"}));
  EXPECT_EQ(count_words("コーヒー"), 4);  // the long vowel is a sign
  EXPECT_EQ(count_words("ﾊﾟﾝ"), 2);       // half-width, with its mark
  EXPECT_EQ(count_words("𠀀𪚥"), 2);      // beyond the first plane
  EXPECT_EQ(
      split_words("我用GPT-4写 code。"),
      (Words{"我", "用", "GPT-4", "写", "code。"}));
}

TEST(SplitWords, OtherScriptsAreCutAtWhiteSpaceAlone) {
  EXPECT_EQ(count_words("안녕하세요 세계"), 2);
  EXPECT_EQ(count_words("Привет, мир"), 2);
  EXPECT_EQ(count_words("\U0001F600\uFE0F \U0001F600"), 2);
}

TEST(SplitWords, InvisibleCharactersMakeNoWord) {
  EXPECT_EQ(split_words("a \u200b b"), (Words{"a", "b"}));
  EXPECT_EQ(count_words("soft\u00adhyphen"), 1);
  EXPECT_EQ(count_words("\u4f60\u200b\u597d"), 2);
}

TEST(IsBlank, WhatCannotBeSeenIsBlank) {
  for (const std::string_view text :
       {"",
        " \u3000\u00a0",
        "\u200b",
        "\ufeff\u2060",
        "\u00ad\u034f",
        "\u115f\u3164\uffa0",
        "\ufe0f",
        "\U000e0041\U000e007f",
        "\x01\x1f",
        "\u202e \u2066"}) {
    EXPECT_TRUE(is_blank(text)) << text;
    EXPECT_EQ(count_words(text), 0) << text;
  }
  for (const std::string_view text : {".", "a", "\u200ba", "漢", "\xff"}) {
    EXPECT_FALSE(is_blank(text)) << text;
    EXPECT_EQ(count_words(text), 1) << text;
  }
}

TEST(SplitWords, BrokenUtf8EndsNowhereElse) {
  EXPECT_EQ(count_words("a\xe4 b\xff\xfe \xf0\x9f"), 3);
}

}  // namespace
}  // namespace moft
