#include "moft/training/step_memory.h"

#include <limits>
#include <utility>

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
// A row of at most 10 tokens has one page of 64 entries.
constexpr std::int64_t kDecodedRow = 64 * 5 + 50;

using Parts = std::vector<std::vector<std::size_t>>;

// Rows of a pair are differentiated together: a part that has room for one of
// them has neither.
TEST(StepMemory, RowsThatBelongTogetherShareAPart) {
  StepShape pairs = {{4, 8, 2}, 2, 2};
  const std::int64_t states = 4 + 8 + 2 + 6 * 2;
  const std::int64_t room = states + 120 + 3 * kRow;
  const StepMemory apart(pairs, costs(), {room});
  EXPECT_EQ(apart.parts_of({0, 1, 2}), (Parts{{0, 1, 2}, {3, 4, 5}}));
  pairs.together = true;
  const StepMemory together(pairs, costs(), {room});
  EXPECT_EQ(together.parts_of({0, 1, 2}), (Parts{{0, 1}, {2, 3}, {4, 5}}));
  // One row alone would fit.
  EXPECT_NO_THROW(StepMemory({{8}, 2, 2}, costs(), {12 + 80 + kRow + 400}));
  StepShape one = {{8}, 2, 2};
  one.together = true;
  EXPECT_NO_THROW(StepMemory(one, costs(), {12 + 80 + 2 * kRow}));
  EXPECT_THROW(StepMemory(one, costs(), {12 + 80 + 2 * kRow - 1}), CallerError);
}

TEST(StepMemory, CountsWhatAStepHolds) {
  const StepMemory memory(shape(), costs(), {1'000'000});
  EXPECT_EQ(memory.rollout_bytes(9), kStates + 9 * kDecodedRow);
  EXPECT_EQ(memory.scoring_bytes({0, 1, 3}), kStates + 40 + 80 + 3 * kRow);
  EXPECT_EQ(memory.rows_at_once(), 9);
  EXPECT_EQ(memory.parts_of({0, 1, 2}), (Parts{{0, 1, 2, 3, 4, 5, 6, 7, 8}}));
}

// Some attentions keep a number for every two tokens of a prompt.
TEST(StepMemory, CountsThePairsOfAPromptsTokens) {
  StepCosts square = costs();
  square.prompt_pair = 3;
  const StepMemory memory(shape(), square, {1'000'000});
  EXPECT_EQ(
      memory.scoring_bytes({0, 1, 3}),
      kStates + (40 + 3 * 16) + (80 + 3 * 64) + 3 * kRow);
}

// An encoder's prompts are laid out as the longest of the step, which has 8.
TEST(StepMemory, CountsPromptsThatArePadded) {
  StepCosts padded = costs();
  padded.padded_token = 3;
  const StepMemory memory(shape(), padded, {1'000'000});
  EXPECT_EQ(
      memory.scoring_bytes({0, 1, 6}),
      kStates + (40 + 3 * 8) + (20 + 3 * 8) + 3 * kRow);
  // Two rows of each prompt, to the last byte, whatever its own length.
  const std::int64_t part = kStates + 80 + 3 * 8 + 2 * kRow;
  const StepMemory tight(shape(), padded, {part});
  EXPECT_EQ(tight.parts_of({1}), (Parts{{3, 4}, {5}}));
  EXPECT_EQ(
      StepMemory(shape(), padded, {part - 1}).parts_of({1}),
      (Parts{{3}, {4}, {5}}));
}

// Prompts of 130 tokens: two full pages that a prompt's rows share, and each
// row has a page for the 2 tokens that are left and its own 20.
TEST(StepMemory, RowsShareTheFullPagesOfTheirPrompt) {
  const StepMemory memory({{130, 130}, 3, 20}, costs(), {1'000'000});
  const std::int64_t page = 64 * 5;
  const std::int64_t states = 2 * 130 + 6 * 20;
  EXPECT_EQ(memory.rollout_bytes(1), states + 3 * page + 50);
  // Any two rows may be of two prompts, any four are of at most two.
  EXPECT_EQ(memory.rollout_bytes(2), states + (4 + 2) * page + 2 * 50);
  EXPECT_EQ(memory.rollout_bytes(4), states + (4 + 4) * page + 4 * 50);
  EXPECT_EQ(memory.rollout_bytes(6), states + (4 + 6) * page + 6 * 50);
}

// An encoder's prompts fill pages of their own, three here; rows begin with the
// start token. The graph of the prompts is held beside all of them.
TEST(StepMemory, AnEncodersGraphCountsBesideTheRollout) {
  StepCosts encoder = costs();
  encoder.new_token = 10;
  encoder.encodes = true;
  encoder.graph_token = 7;
  const auto memory = [&](std::int64_t bytes) {
    return StepMemory({{130, 100}, 3, 64}, encoder, {bytes});
  };
  const std::int64_t states = 230 + 6 * 64;
  const std::int64_t all = states + (2 * 3 + 6 * 2) * 64 * 5 + 6 * 50;
  EXPECT_EQ(memory(1'000'000).rollout_bytes(6), all);
  EXPECT_EQ(memory(1'000'000).graph_bytes(), 230 * 7);
  EXPECT_TRUE(memory(all + 230 * 7).has_room_for_graph(0));
  EXPECT_FALSE(memory(all + 230 * 7 - 1).has_room_for_graph(0));
  EXPECT_EQ(memory(all + 230 * 7 - 1).rows_at_once(), 6);
  // What comes between rollout and scoring takes the place of the pages.
  const std::int64_t between = all - states + 1;
  EXPECT_FALSE(memory(all + 230 * 7).has_room_for_graph(between));
  EXPECT_TRUE(memory(all + 230 * 7 + 1).has_room_for_graph(between));
}

TEST(StepMemory, FillsPartsToTheLastByte) {
  // Two rows of the second prompt; one of the first and one of the second do
  // not fit.
  const StepMemory memory(shape(), costs(), {kStates + 80 + 2 * kRow});
  EXPECT_EQ(
      memory.parts_of({0, 1, 2}),
      (Parts{{0, 1}, {2}, {3, 4}, {5}, {6, 7}, {8}}));
  // One byte less: rows of the second prompt are alone.
  const StepMemory less(shape(), costs(), {kStates + 80 + 2 * kRow - 1});
  EXPECT_EQ(
      less.parts_of({0, 1, 2}),
      (Parts{{0, 1}, {2}, {3}, {4}, {5}, {6, 7}, {8}}));
  EXPECT_EQ(less.parts_of({1}), (Parts{{3}, {4}, {5}}));
  EXPECT_EQ(less.rows_at_once(), 1);  // 479 / 370
  const StepMemory four(shape(), costs(), {kStates + 4 * kDecodedRow});
  EXPECT_EQ(four.rows_at_once(), 4);
  const StepMemory three(shape(), costs(), {kStates + 4 * kDecodedRow - 1});
  EXPECT_EQ(three.rows_at_once(), 3);
}

TEST(StepMemory, EveryRowIsInOnePartAndNoPartIsOverTheBudget) {
  for (std::int64_t budget = kStates + kDecodedRow; budget < 3600;
       budget += 7) {
    const StepMemory memory(shape(), costs(), {budget});
    std::vector<std::size_t> rows;
    for (const auto& part : memory.parts_of({0, 1, 2})) {
      EXPECT_LE(memory.scoring_bytes(part), budget);
      rows.insert(rows.end(), part.begin(), part.end());
    }
    EXPECT_EQ(rows, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_LE(memory.rollout_bytes(memory.rows_at_once()), budget);
  }
}

std::string refusal_of(
    const StepShape& shape, const StepCosts& costs, MemoryBudget budget) {
  try {
    StepMemory(shape, costs, std::move(budget));
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

TEST(StepMemory, RefusesABudgetForLessThanOneRow) {
  StepCosts small_pages = costs();
  small_pages.decoded_token = 1;
  const std::int64_t least = kStates + 80 + kRow;
  EXPECT_EQ(refusal_of(shape(), small_pages, {least}), "");
  EXPECT_EQ(
      refusal_of(
          shape(),
          small_pages,
          {.bytes = least - 1, .key = "a.budget", .cure = "shorten it"}),
      "a.budget is 0.1 MB, but a step needs 0.1 MB for one completion of 2 "
      "tokens after a prompt of 8 tokens; raise a.budget, or shorten it");
  // A page's entries count, also those that no token fills.
  EXPECT_EQ(refusal_of(shape(), costs(), {kStates + kDecodedRow}), "");
  EXPECT_NE(refusal_of(shape(), costs(), {kStates + kDecodedRow - 1}), "");
  // What others hold of the budget.
  EXPECT_EQ(refusal_of(shape(), small_pages, {least + 7, 7}), "");
  EXPECT_NE(refusal_of(shape(), small_pages, {least + 6, 7}), "");
}

// Sizes that do not fit into 64 bits are more than any budget.
TEST(StepMemory, RefusesSizesThatOverflow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int64_t budget = 1'000'000'000'000'000;
  for (const StepShape& hostile :
       {StepShape{{8, 8}, kMost / 2, 1},
        StepShape{{8, 8}, 2, kMost / 2},
        StepShape{{8, 8}, 4'000'000'000, 4'000'000'000},
        StepShape{{kMost / 2, kMost / 2}, 2, 2}}) {
    const std::string refusal = refusal_of(hostile, costs(), {budget});
    EXPECT_NE(refusal.find("but a step needs 9223372037 GB"), std::string::npos)
        << refusal;
  }
  // Many rows that are light, and heavy decoding.
  StepCosts heavy;
  heavy.decoded_token = kMost / 64;
  heavy.decoded_row = kMost / 2;
  EXPECT_NE(refusal_of({{8}, 4, 8}, heavy, {budget}), "");
  StepCosts light;
  light.decoded_row = 1000;
  const StepMemory many({{8, 8}, kMost / 2, 1}, light, {budget});
  EXPECT_EQ(many.rows_at_once(), budget / 1000);
}

}  // namespace
}  // namespace moft
