// Reading and writing UTF-8.
#include "moft/core/utf8.h"

#include <gtest/gtest.h>

#include "moft/core/text.h"

namespace moft {
namespace {

TEST(Utf8, FollowsTheUnicodeTable) {
  for (std::string good :
       {"",
        "a",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << quote_text(good);
  }
  for (std::string bad :
       {"\x80",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2 ",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xE2\x82",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF"}) {
    EXPECT_FALSE(is_utf8(bad)) << quote_text(bad);
  }
}

TEST(Utf8, MalformedBytesAreReadOneByOne) {
  EXPECT_EQ(any_code_point_at("\xE2\x82", 0).value, U'\xFFFD');
  EXPECT_EQ(any_code_point_at("\xE2\x82", 0).length, 1U);
  EXPECT_EQ(any_code_point_at("x\xE2\x82\xAC", 1).value, U'\x20AC');
  EXPECT_EQ(any_code_point_at("x\xE2\x82\xAC", 1).length, 3U);
  EXPECT_EQ(first_invalid_utf8("ab\xFFz"), 2U);
  EXPECT_EQ(first_invalid_utf8("ab"), 2U);
  // One U+FFFD for each maximal part: E2 82 begins a code point, FF does not.
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82\xFF!"), "\uFFFD\uFFFD!");
}

TEST(Utf8, WhatIsWrittenIsReadBack) {
  for (const char32_t value :
       {0x24u,
        0x7Fu,
        0x80u,
        0x7FFu,
        0x800u,
        0xD7FFu,
        0xE000u,
        0xFFFFu,
        0x10000u,
        0x10FFFFu}) {
    std::string text;
    append_utf8(text, value);
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(code_point_at(text, 0).value, value);
    EXPECT_EQ(code_point_at(text, 0).length, text.size());
  }
}

}  // namespace
}  // namespace moft
