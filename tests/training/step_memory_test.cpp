#include "moft/training/step_memory.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// A prompt token 10, a new token 100, decoded ones 5, a decoded row 50, a
// state that is kept 1.
StepCosts costs() {
  StepCosts costs;
  costs.prompt_token = 10;
  costs.new_token = 100;
  costs.decoded_token = 5;
  costs.decoded_row = 50;
  costs.feature_token = 1;
  return costs;
}

// Prompts of 4, 8 and 2 tokens, three completions each, of 2 tokens.
StepShape shape() {
  return {{4, 8, 2}, 3, 2};
}

constexpr std::int64_t kStates = 4 + 8 + 2 + 9 * 2;
constexpr std::int64_t kRow = 200;

using Parts = std::vector<std::vector<std::size_t>>;

TEST(StepMemory, CountsWhatAStepHolds) {
  const StepMemory memory(shape(), costs(), 1'000'000);
  EXPECT_EQ(memory.rollout_bytes(9), kStates + 9 * ((8 + 2) * 5 + 50));
  EXPECT_EQ(memory.scoring_bytes({0, 1, 3}), kStates + 40 + 80 + 3 * kRow);
  EXPECT_EQ(memory.rows_at_once(), 9);
  EXPECT_EQ(memory.parts_of({0, 1, 2}), (Parts{{0, 1, 2, 3, 4, 5, 6, 7, 8}}));
}

TEST(StepMemory, FillsPartsToTheLastByte) {
  // Two rows of the second prompt; one of the first and one of the second do
  // not fit.
  const StepMemory memory(shape(), costs(), kStates + 80 + 2 * kRow);
  EXPECT_EQ(
      memory.parts_of({0, 1, 2}),
      (Parts{{0, 1}, {2}, {3, 4}, {5}, {6, 7}, {8}}));
  // One byte less: rows of the second prompt are alone.
  const StepMemory less(shape(), costs(), kStates + 80 + 2 * kRow - 1);
  EXPECT_EQ(
      less.parts_of({0, 1, 2}),
      (Parts{{0, 1}, {2}, {3}, {4}, {5}, {6, 7}, {8}}));
  EXPECT_EQ(less.parts_of({1}), (Parts{{3}, {4}, {5}}));
  EXPECT_EQ(less.rows_at_once(), 4);  // 479 / 100
}

TEST(StepMemory, EveryRowIsInOnePartAndNoPartIsOverTheBudget) {
  for (std::int64_t budget = kStates + 280; budget < 2400; budget += 7) {
    const StepMemory memory(shape(), costs(), budget);
    std::vector<std::size_t> rows;
    for (const auto& part : memory.parts_of({0, 1, 2})) {
      EXPECT_LE(memory.scoring_bytes(part), budget);
      rows.insert(rows.end(), part.begin(), part.end());
    }
    EXPECT_EQ(rows, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_LE(memory.rollout_bytes(memory.rows_at_once()), budget);
  }
}

TEST(StepMemory, RefusesABudgetForLessThanOneRow) {
  EXPECT_NO_THROW(StepMemory(shape(), costs(), kStates + 80 + kRow));
  try {
    StepMemory(shape(), costs(), kStates + 80 + kRow - 1, "a.budget");
    FAIL();
  } catch (const CallerError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("a.budget is 0.1 MB"), std::string::npos) << text;
    EXPECT_NE(text.find("a prompt of 8"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace moft
