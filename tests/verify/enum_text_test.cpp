// ENUM-1 as text: completions, the words of a weighting, rewards.
#include "verify/enum_text.h"

#include <set>

#include <gtest/gtest.h>

namespace moft::exact {
namespace {

TEST(EnumText, CompletionsAreTheAnswersAsAModelEmitsThem) {
  const EnumTask task;
  const auto completions = enum_completions(task);
  const std::set<std::vector<TokenId>> distinct(
      completions.begin(), completions.end());
  EXPECT_EQ(distinct.size(), 156U);
  const auto tokenizer = make_enum_tokenizer(false);
  for (std::size_t k = 0; k < completions.size(); ++k) {
    const auto& tokens = completions[k];
    ASSERT_LE(tokens.size(), 3U);
    EXPECT_EQ(tokens.back() == 0, task.answers()[k].size() < 3);
    EXPECT_EQ(tokenizer->decode(tokens), enum_text(task.answers()[k]));
  }
}

TEST(EnumText, WordsOfAWeightingAreSpelledInTheAlphabet) {
  const auto tokenizer = make_enum_tokenizer(true);
  // a of "a:", 0.47; then b of "b:", 1.0: digits d / 5 and d % 5 from 1 on.
  EXPECT_EQ(
      tokenizer->encode("a: 0.47; b: 1.0."),
      (std::vector<TokenId>{1, 1, 1, 1, 5, 2, 3, 0, 2, 1, 2, 1, 1}));
  EXPECT_EQ(tokenizer->prompt_end(), 0);
}

TEST(EnumText, RewardsAreTheTasks) {
  const EnumTask task;
  const auto examples = enum_examples(task);
  RewardBatch batch;
  for (const Example& example : examples) {
    for (const Sequence& answer : task.answers()) {
      batch.prompts.push_back(example.id);
      batch.completions.push_back(enum_text(answer));
      batch.token_counts.push_back(1);
      batch.examples.push_back(&example);
    }
  }
  const auto mapped = enum_objectives(task).score(batch).mapped;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto found = column_of(mapped, i);
    for (std::size_t r = 0; r < found.size(); ++r)
      EXPECT_EQ(found[r], task.problem(r / 156).rewards[i][r % 156]);
  }
}

}  // namespace
}  // namespace moft::exact
