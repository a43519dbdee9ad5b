#include "moft/data/fit_prompts.h"

#include <string>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// One token per character, so that lengths can be counted by eye; ids are the
// characters' first bytes.
class CharacterTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions&) const override {
    std::vector<TokenId> ids;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xC0) != 0x80) ids.push_back(byte);
    }
    return ids;
  }
  std::string decode(std::span<const TokenId>, bool) const override {
    return {};
  }
  std::string token_bytes(TokenId id) const override {
    return std::string(1, static_cast<char>(id));
  }
  bool is_special(TokenId) const override { return false; }
  std::optional<TokenId> find(std::string_view) const override { return {}; }
  std::int64_t vocab_size() const override { return 256; }
  std::optional<TokenId> bos() const override { return {}; }
  std::optional<TokenId> eos() const override { return {}; }
};

Example line(std::int64_t number, const std::string& post) {
  Example example;
  example.where = "t.jsonl:" + std::to_string(number);
  example.fields = {{"post", post}, {"title", "T"}};
  return example;
}

PromptLimits at_most(std::int64_t tokens) {
  PromptLimits limits;
  limits.prompt = tokens;
  return limits;
}

FittedExamples fit(
    std::vector<Example> examples,
    const PromptLimits& limits,
    TooLong too_long,
    const std::string& prompt = "<{post}>") {
  return fit_examples(
      std::move(examples),
      PromptTemplate(prompt),
      CharacterTokenizer(),
      limits,
      too_long);
}

std::string refusal(
    std::vector<Example> examples,
    const PromptLimits& limits,
    TooLong too_long = TooLong::kError,
    const std::string& prompt = "<{post}>") {
  try {
    fit(std::move(examples), limits, too_long, prompt);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FitPrompts, ErrorNamesTheFirstAndCountsAll) {
  EXPECT_EQ(
      refusal({line(1, "abc"), line(2, "abcdef")}, at_most(5)),
      "t.jsonl:2: the prompt has 8 tokens, more than data.max_prompt_tokens = "
      "5; shorten the example, change the limit, or set data.too_long to skip, "
      "truncate_left or truncate_right");
  EXPECT_EQ(
      refusal(
          {line(1, "abcd"), line(2, "abcdef"), line(3, "abcd")}, at_most(5)),
      "t.jsonl:1: the prompt has 6 tokens, more than data.max_prompt_tokens = "
      "5 (and so are 2 more too long); shorten the examples, change the limit, "
      "or set data.too_long to skip, truncate_left or truncate_right");
  EXPECT_EQ(refusal({line(1, "abc")}, at_most(5)), "accepted");
}

TEST(FitPrompts, TheAnswerNeedsRoomInTheContext) {
  PromptLimits limits;
  limits.context = 10;
  limits.answer = 6;
  limits.answer_key = "training.max_new_tokens";
  EXPECT_EQ(refusal({line(1, "ab")}, limits), "accepted");
  EXPECT_EQ(
      refusal({line(1, "abc")}, limits)
          .find(
              "t.jsonl:1: the prompt has 5 tokens, which with "
              "training.max_new_tokens = 6 are 11, more than the model's 10; "),
      0u);
  limits.answer = 10;
  EXPECT_EQ(
      refusal({line(1, "")}, limits, TooLong::kSkip),
      "training.max_new_tokens is 10, which leaves no room for a prompt in the "
      "model's context of 10 tokens; lower it");
  limits.answer = 6;
  limits.words = 1;
  EXPECT_NE(refusal({line(1, "ab")}, limits), "accepted");
}

TEST(FitPrompts, SkipLeavesOutCountsAndNames) {
  const auto fitted =
      fit({line(1, "abcd"),
           line(2, "ab"),
           line(3, "abcd"),
           line(4, "abcd"),
           line(5, "abcdef"),
           line(6, "abc")},
          at_most(5),
          TooLong::kSkip);
  ASSERT_EQ(fitted.examples.size(), 2u);
  EXPECT_EQ(fitted.examples[0].where, "t.jsonl:2");
  EXPECT_EQ(fitted.examples[1].where, "t.jsonl:6");
  EXPECT_EQ(fitted.report.examples, 6);
  EXPECT_EQ(fitted.report.skipped, 4);
  EXPECT_EQ(fitted.report.longest, 5);
  EXPECT_EQ(
      fitted.report.describe(),
      "4 skipped, too long: t.jsonl:1, t.jsonl:3, t.jsonl:4 ..");
  EXPECT_EQ(
      refusal({line(1, "abcd")}, at_most(5), TooLong::kSkip),
      "t.jsonl:1: the prompt has 6 tokens, more than data.max_prompt_tokens = "
      "5; and so are all others too long, so that none is left");
}

TEST(FitPrompts, TruncatingCutsTheLongestFieldAndNoMarkup) {
  const std::string prompt = "<{title}|{post}>";
  const auto cut = [&](TooLong side, const std::string& text) {
    const auto fitted = fit({line(1, text)}, at_most(8), side, prompt);
    EXPECT_EQ(fitted.report.describe(), "1 cut, too long: t.jsonl:1");
    EXPECT_EQ(fitted.report.longest, 8);
    return PromptTemplate(prompt).render(fitted.examples.at(0));
  };
  EXPECT_EQ(cut(TooLong::kTruncateRight, "abcdefg"), "<T|abcd>");
  EXPECT_EQ(cut(TooLong::kTruncateLeft, "abcdefg"), "<T|defg>");
  // Characters stay whole, and long fields are cut as exactly.
  EXPECT_EQ(cut(TooLong::kTruncateRight, "äöüéèê"), "<T|äöüé>");
  EXPECT_EQ(cut(TooLong::kTruncateLeft, "äöüéèê"), "<T|üéèê>");
  EXPECT_EQ(
      cut(TooLong::kTruncateLeft, std::string(100'000, 'x') + "tail"),
      "<T|tail>");
}

TEST(FitPrompts, TruncatingGoesOnWithTheNextField) {
  Example example = line(1, "abcdefg");
  example.fields["title"] = "TITLE";
  const std::string prompt = "<{title}|{post}>";
  const auto fitted =
      fit({example}, at_most(5), TooLong::kTruncateRight, prompt);
  EXPECT_EQ(PromptTemplate(prompt).render(fitted.examples.at(0)), "<TI|>");
  EXPECT_EQ(
      refusal({example}, at_most(2), TooLong::kTruncateRight, prompt),
      "t.jsonl:1: the prompt has 15 tokens, more than data.max_prompt_tokens = "
      "2, and its template alone is too long; and so are all others too long, "
      "so that none is left");
}

TEST(FitPrompts, AnEmptyPromptNamesItsLine) {
  EXPECT_EQ(
      refusal({line(3, "")}, at_most(5), TooLong::kSkip, "{post}")
          .find("t.jsonl:3: the prompt is empty"),
      0u);
}

TEST(FitPrompts, ReportsTheLargestId) {
  const auto fitted =
      fit({line(1, "ab"), line(2, "az"), line(3, "b")}, {}, TooLong::kError);
  EXPECT_EQ(fitted.report.largest_id, 'z');
  EXPECT_EQ(fitted.report.largest_id_place, "t.jsonl:2");
}

}  // namespace
}  // namespace moft
