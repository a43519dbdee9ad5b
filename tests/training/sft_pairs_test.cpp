// Pairs and dialogues as token ids.
#include <algorithm>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/models/load.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/training/sft/pairs.h"

#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

class Pairs : public testing::Test {
 protected:
  Pairs() {
    write_tiny_t5(scratch_.path() / "t5");
    write_tiny_model(scratch_.path() / "llama");
    options_.prompt_template = "{a}";
    options_.completion_template = "{b}";
  }

  SftPairs encode(const char* model) const {
    const LoadedModel loaded = load_language_model(scratch_.path() / model);
    const auto tokenizer = load_tokenizer(scratch_.path() / model);
    return encode_pairs(examples_, options_, *tokenizer, loaded.model->info());
  }

  void add(const std::string& a, const std::string& b) {
    Example example;
    example.fields = {{"a", a}, {"b", b}};
    example.where = "pairs.jsonl:" + std::to_string(examples_.size() + 1);
    examples_.push_back(std::move(example));
  }

  std::string error_of(const char* model) const {
    try {
      encode(model);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "none";
  }

  Scratch scratch_;
  SftDataOptions options_;
  std::vector<Example> examples_;
};

TEST_F(Pairs, AnEncoderDecodersPromptAndCompletionBothEnd) {
  add("one two", "a");
  const SftPair pair = encode("t5").pairs.at(0);
  EXPECT_EQ(pair.prompt.back(), kTinyT5End);
  EXPECT_EQ(pair.completion.back(), kTinyT5End);
  EXPECT_EQ(std::count(pair.prompt.begin(), pair.prompt.end(), kTinyT5End), 1);
}

TEST_F(Pairs, ADecodersCompletionAloneEnds) {
  add("ab ", "c.");
  // " abc..z." and the end token: ids 0, 1.., 27, 28.
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(pair.prompt, (TokenIds{1, 2, 0}));
  EXPECT_EQ(pair.completion, (TokenIds{3, 27, 28}));
}

// The template's end token is the token, and the only one.
TEST_F(Pairs, AnEndTokenWrittenInTheTemplateIsTheEnd) {
  for (const char* text : {"{b}<end>", "{b}<end> ", "{b}"}) {
    options_.completion_template = text;
    examples_.clear();
    add("a", "b");
    EXPECT_EQ(encode("llama").pairs.at(0).completion, (TokenIds{2, 28}));
  }
  options_.completion_template = "{b}</s>";
  EXPECT_EQ(
      std::ranges::count(encode("t5").pairs.at(0).completion, kTinyT5End), 1);
}

// A field's text is a stranger's.
TEST_F(Pairs, SpecialTokensInAFieldAreText) {
  add("<end>", "b<end>");
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(std::ranges::count(pair.prompt, 28), 0);
  EXPECT_EQ(std::ranges::count(pair.completion, 28), 1);
  EXPECT_EQ(pair.completion.back(), 28);
}

// Among several end tokens, the one that ends the prompt's turns ends the
// answer.
TEST_F(Pairs, TheEndTokenIsTheOneOfThePromptTemplate) {
  ModelInfo model;
  model.context = 64;
  model.end_tokens = {27, 28};  // "." and "<end>"
  const auto tokenizer = load_tokenizer(scratch_.path() / "llama");
  EXPECT_EQ(completion_end("{a}", *tokenizer, model), 27);
  EXPECT_EQ(completion_end("{a}<end>b", *tokenizer, model), 28);
  // Without one there the tokenizer's own.
  write_tiny_text(
      scratch_.path() / "llama/tokenizer_config.json",
      R"({"eos_token": "<end>"})");
  const auto chat = load_tokenizer(scratch_.path() / "llama");
  EXPECT_EQ(completion_end("{a}", *chat, model), 28);
  add("a", "b");
  options_.prompt_template = "{a}<end>b";
  const auto pairs = encode_pairs(examples_, options_, *tokenizer, model);
  EXPECT_EQ(pairs.pairs.at(0).completion, (TokenIds{2, 28}));
}

TEST_F(Pairs, AnEndTokenAloneIsNothingToLearn) {
  options_.completion_template = "{b}<end>";
  add("abc", "");
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the completion is empty; there is nothing to learn from "
      "it");
}

TEST_F(Pairs, WhatIsTooLongIsNamedOrCounted) {
  add("abc", "d");
  add("abcdef", "d");
  add("abc", "defghi");
  options_.max_prompt_tokens = 4;
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:2: the prompt has 6 tokens, more than "
      "data.max_prompt_tokens = 4; shorten the example, change the limit, or "
      "set data.too_long to skip, truncate_left or truncate_right");
  options_.too_long = TooLong::kSkip;
  options_.max_completion_tokens = 6;
  const SftPairs pairs = encode("llama");
  EXPECT_EQ(pairs.pairs.size(), 1U);
  EXPECT_EQ(pairs.lengths.skipped, 2);
  EXPECT_EQ(
      pairs.lengths.describe(),
      "2 skipped, too long: pairs.jsonl:2, pairs.jsonl:3");
  options_.max_prompt_tokens = 2;
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the prompt has 3 tokens, more than "
      "data.max_prompt_tokens = 2; and so are all others too long, so that "
      "none is left");
}

// TRL's rows without templates: `prompt` and `completion` as they are.
TEST_F(Pairs, PlainRowsOfTrlNeedNoTemplate) {
  options_.prompt_template.reset();
  options_.completion_template.reset();
  Example example;
  example.fields = {{"prompt", "ab"}, {"completion", "c"}};
  examples_.push_back(example);
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(pair.prompt, (TokenIds{1, 2}));
  EXPECT_EQ(pair.completion, (TokenIds{3, 28}));
}

// "<role><content><end>" for every turn.
ChatSettings tiny_chat() {
  ChatSettings chat;
  chat.templates["default"] =
      "{% for m in messages %}{{ m.role[0] + m.content + '<end>' }}"
      "{% endfor %}{% if add_generation_prompt %}a{% endif %}";
  return chat;
}

Example dialogue_row(const std::vector<ChatMessage>& messages) {
  Example example;
  example.where = "chats.jsonl:1";
  example.dialogues["messages"] = {messages};
  return example;
}

// All of the dialogue is one pair; the assistant's turns are learned.
TEST_F(Pairs, ADialogueLearnsTheAssistantsTurns) {
  options_.settled = PromptSpec{.chat = tiny_chat()};
  examples_ = {dialogue_row(
      {{"user", "b"}, {"assistant", "c"}, {"user", "d"}, {"assistant", "ef"}})};
  const SftPair pair = encode("llama").pairs.at(0);
  // u b <end> a | c <end> u d <end> a e f <end>
  EXPECT_EQ(pair.prompt, (TokenIds{21, 2, 28, 1}));
  EXPECT_EQ(pair.completion, (TokenIds{3, 28, 21, 4, 28, 1, 5, 6, 28}));
  EXPECT_EQ(
      pair.learned, (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(pair.learned_tokens(), 5);
}

// TRL's prompt and completion as messages: the prompt's answers are read.
TEST_F(Pairs, OfAPromptAndItsCompletionTheCompletionIsLearned) {
  options_.settled = PromptSpec{.chat = tiny_chat()};
  Example example = dialogue_row({});
  example.dialogues = {
      {"prompt", {{{"user", "b"}, {"assistant", "c"}, {"user", "d"}}}},
      {"completion", {{{"assistant", "ef"}}}}};
  examples_ = {example};
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(pair.prompt.size(), 10U);
  EXPECT_EQ(pair.completion, (TokenIds{5, 6, 28}));
  EXPECT_EQ(pair.learned_tokens(), 3);
}

TEST_F(Pairs, DialoguesThatCannotBeLearnedAreNamed) {
  options_.settled = PromptSpec{.chat = tiny_chat()};
  examples_ = {dialogue_row({{"user", "b"}})};
  EXPECT_EQ(
      error_of("llama"),
      "chats.jsonl:1: the dialogue has no turn of the assistant to learn from; "
      "add one, or remove the row");
  examples_ = {dialogue_row({{"user", "b"}, {"assistant", "cdef"}})};
  options_.max_prompt_tokens = 4;
  options_.max_completion_tokens = 3;
  EXPECT_EQ(
      error_of("llama"),
      "chats.jsonl:1: the dialogue has 9 tokens, more than "
      "data.max_prompt_tokens + data.max_completion_tokens = 7; shorten the "
      "example, change the limit, or set data.too_long to skip, truncate_left "
      "or truncate_right");
  // Only the last answer is written out, as templates do with thoughts.
  options_.settled->chat->templates["default"] =
      "{% for m in messages %}{{ m.role[0] }}"
      "{{ m.content if m.role == 'user' or loop.last }}<end>{% endfor %}"
      "{% if add_generation_prompt %}a{% endif %}";
  options_.max_prompt_tokens = 64;
  examples_ = {dialogue_row(
      {{"user", "b"}, {"assistant", "c"}, {"user", "d"}, {"assistant", "ef"}})};
  EXPECT_NE(
      error_of("llama").find(
          "chats.jsonl:1: the chat template has no {% generation %} marks, and "
          "what it writes for the first 2 messages is not how it begins the "
          "dialogue"),
      std::string::npos)
      << error_of("llama");
}

// Only prompts are cut: an answer cut off would teach to stop in the middle.
TEST_F(Pairs, TruncatingCutsPromptsAndLeavesOutLongCompletions) {
  add("abcdef", "d");
  add("abc", "defghi");
  options_.max_prompt_tokens = 4;
  options_.max_completion_tokens = 6;
  options_.too_long = TooLong::kTruncateLeft;
  const SftPairs left = encode("llama");
  ASSERT_EQ(left.pairs.size(), 1U);
  EXPECT_EQ(left.pairs[0].prompt, (TokenIds{3, 4, 5, 6}));  // "cdef"
  EXPECT_EQ(left.lengths.truncated, 1);
  EXPECT_EQ(left.lengths.skipped, 1);
  options_.too_long = TooLong::kTruncateRight;
  EXPECT_EQ(encode("llama").pairs[0].prompt, (TokenIds{1, 2, 3, 4}));
}

TEST_F(Pairs, TheModelsContextCounts) {
  add(std::string(60, 'a'), "bcde");  // 60 + 5 of 64
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: prompt and completion have 65 tokens, more than the "
      "model's 64; shorten the example, change the limit, or set data.too_long "
      "to skip, truncate_left or truncate_right");
}

TEST_F(Pairs, AnEmptyCompletionIsAnError) {
  add("abc", "");
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the completion is empty; there is nothing to learn from "
      "it");
}

}  // namespace
}  // namespace moft::test
