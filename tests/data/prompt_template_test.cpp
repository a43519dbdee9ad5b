#include "moft/data/prompt_template.h"

#include <string>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

Example post(const std::string& text) {
  Example example{.id = "1", .where = "posts.jsonl:1"};
  example.fields["post"] = text;
  example.fields["title"] = "T";
  return example;
}

std::string refusal(const std::string& text) {
  try {
    PromptTemplate prompt(text);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(PromptTemplate, FillsHoles) {
  const PromptTemplate prompt("user\n{title}: {post}\n\n{post}!");
  EXPECT_EQ(prompt.render(post("a {b}")), "user\nT: a {b}\n\na {b}!");
  EXPECT_EQ(prompt.field_names(), (std::vector<std::string>{"title", "post"}));
}

TEST(PromptTemplate, SaysWhoseWordsAPieceIs) {
  const auto pieces = PromptTemplate("a{post}b").fill(post("x"));
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_FALSE(pieces[0].from_field);
  EXPECT_TRUE(pieces[1].from_field);
  EXPECT_EQ(pieces[1].text, "x");
  EXPECT_FALSE(pieces[2].from_field);
}

TEST(PromptTemplate, DoubledBracesAreBraces) {
  EXPECT_EQ(
      PromptTemplate("{{post}} {{{post}}} }}{{").render(post("x")),
      "{post} {x} }{");
}

TEST(PromptTemplate, FieldNamesAreThoseThatDataHave) {
  Example example;
  example.fields = {
      {"Post Title", "T"}, {"post.text-en", "P"}, {"Größe (cm)", "9"}};
  EXPECT_EQ(
      PromptTemplate("{Post Title}/{post.text-en}/{Größe (cm)}")
          .render(example),
      "T/P/9");
}

TEST(PromptTemplate, RefusesStrayBracesAndOddNames) {
  EXPECT_EQ(
      refusal("ab {post"),
      "prompt template: the '{' at character 4 is never closed; close the "
      "field's name or write '{{' for the brace itself");
  EXPECT_EQ(
      refusal("a } b"),
      "prompt template: the '}' at character 3 closes nothing; write '}}' for "
      "the brace itself");
  EXPECT_EQ(
      refusal("{ a}"),
      "prompt template: ' a' at character 1 is not a field name; give one "
      "without braces, double quotes, line breaks and outer blanks, or write "
      "'{{' for the brace itself");
  EXPECT_NE(refusal("{\"a\": 1}"), "accepted");  // JSON wants '{{'
  EXPECT_NE(refusal("{a\nb}"), "accepted");
  EXPECT_NE(refusal("{}"), "accepted");
  EXPECT_NE(refusal("{a{b}"), "accepted");
}

TEST(PromptTemplate, CheckNamesTheFirstExampleWithoutTheField) {
  const PromptTemplate prompt("{post}{title}");
  Example poor = post("x");
  poor.fields.erase("title");
  poor.where = "posts.jsonl:2";
  EXPECT_NO_THROW(prompt.check({post("a")}));
  try {
    prompt.check({post("a"), poor});
    FAIL() << "accepted";
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "posts.jsonl:2: the prompt template needs the field 'title', which "
        "this example does not have; it has 'post'");
  }
}

TEST(PromptTemplate, WordsGoToTheFirstFieldWithTheirBracesDoubled) {
  const PromptTemplate prompt("{{a}} say {b} of {c} and {b}");
  EXPECT_EQ(prompt.before_first_field(), "{a} say ");
  EXPECT_EQ(
      prompt.with_words("w{1}: "), "{{a}} say w{{1}}: {b} of {c} and {b}");
  EXPECT_EQ(PromptTemplate("{b}").with_words("w "), "w {b}");
  EXPECT_EQ(PromptTemplate("{b}").before_first_field(), "");
  EXPECT_THROW(PromptTemplate("no field").with_words("w "), CallerError);
}

}  // namespace
}  // namespace moft
