#include "moft/data/answer_end.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// Bytes, and special tokens, by their written form, after them.
class MarkupTokenizer : public Tokenizer {
 public:
  explicit MarkupTokenizer(std::vector<std::string> special)
      : special_(std::move(special)) {}

  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions& options) const override {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      std::size_t length = 1;
      TokenId id = static_cast<unsigned char>(text[0]);
      for (std::size_t i = 0; options.parse_special && i < special_.size();
           ++i) {
        if (!text.starts_with(special_[i])) continue;
        length = special_[i].size();
        id = kFirst + static_cast<TokenId>(i);
      }
      ids.push_back(id);
      text.remove_prefix(length);
    }
    return ids;
  }
  std::string decode(std::span<const TokenId>, bool) const override {
    return {};
  }
  std::string token_bytes(TokenId id) const override {
    if (id < kFirst) return {static_cast<char>(id)};
    return special_.at(static_cast<std::size_t>(id - kFirst));
  }
  bool is_special(TokenId id) const override { return id >= kFirst; }
  std::optional<TokenId> find(std::string_view token) const override {
    const auto found = std::find(special_.begin(), special_.end(), token);
    if (found == special_.end()) return std::nullopt;
    return kFirst + static_cast<TokenId>(found - special_.begin());
  }
  std::int64_t vocab_size() const override { return kFirst + 20; }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return std::nullopt; }

 private:
  static constexpr TokenId kFirst = 256;
  std::vector<std::string> special_;
};

const MarkupTokenizer kTokenizer({
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<|extend|>",
    "<|END_OF_TURN_TOKEN|>",
});

std::string turn_end(const std::string& text) {
  const auto id = turn_end_of(PromptTemplate(text), kTokenizer);
  return id ? kTokenizer.token_bytes(*id) : "none";
}

TEST(AnswerEnd, TheTokenThatEndsATurnOfManyFormats) {
  EXPECT_EQ(
      turn_end("<|im_start|>user\n{post}<|im_end|>\n<|im_start|>assistant\n"),
      "<|im_end|>");
  EXPECT_EQ(
      turn_end("<|start_header_id|>user<|end_header_id|>\n\n{post}<|eot_id|>"
               "<|start_header_id|>assistant<|end_header_id|>\n\n"),
      "<|eot_id|>");
  EXPECT_EQ(
      turn_end("<start_of_turn>user\n{post}<end_of_turn>\n<start_of_turn>"
               "model\n"),
      "<end_of_turn>");
  EXPECT_EQ(turn_end("user: {post}</s>\nassistant: "), "</s>");
  EXPECT_EQ(turn_end("{post}<|END_OF_TURN_TOKEN|>"), "<|END_OF_TURN_TOKEN|>");
  for (const char* without :
       {"{post}\nTL;DR:",
        "[INST] {post} [/INST]",
        "<|extend|>{post}",
        "{post}"})
    EXPECT_EQ(turn_end(without), "none") << without;
}

TEST(AnswerEnd, WarnsOfATurnEndAtWhichAnswersDoNotEnd) {
  const PromptTemplate chat(
      "<|im_start|>user\n{post}<|im_end|>\n<|im_start|>assistant\n");
  const TokenId end = *kTokenizer.find("<|im_end|>");
  const TokenId other = *kTokenizer.find("<|endoftext|>");
  const auto warning =
      answer_end_warning(chat, kTokenizer, std::vector<TokenId>{other});
  ASSERT_TRUE(warning);
  for (const std::string& words :
       {std::string("<|im_end|>"),
        std::string("<|endoftext|>"),
        "id " + std::to_string(end),
        std::string("eos_token_id")}) {
    EXPECT_NE(warning->find(words), std::string::npos) << *warning;
  }
  EXPECT_FALSE(
      answer_end_warning(chat, kTokenizer, std::vector<TokenId>{other, end}));
  EXPECT_FALSE(answer_end_warning(
      PromptTemplate("{post}\n"), kTokenizer, std::vector<TokenId>{other}));
}

TEST(AnswerEnd, NoEndTokenAtAllIsRefused) {
  EXPECT_THROW(require_end_token({}), CallerError);
  require_end_token(std::vector<TokenId>{7});
}

}  // namespace
}  // namespace moft
