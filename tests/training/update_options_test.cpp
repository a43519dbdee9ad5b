// What an update is cut into: where slices end, and which numbers are allowed.
#include "moft/training/update_options.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/experience.h"
#include "moft/training/sft/options.h"
#include "moft/training/step_memory.h"
#include "moft/training/training_options.h"

namespace moft {
namespace {

using Ranges = std::vector<ItemRange>;

TEST(Slices, FollowOneAnotherAndNoneIsEmpty) {
  EXPECT_EQ(slices_of(6, 1), (Ranges{{0, 6}}));
  EXPECT_EQ(slices_of(6, 3), (Ranges{{0, 2}, {2, 4}, {4, 6}}));
  EXPECT_EQ(slices_of(7, 3), (Ranges{{0, 2}, {2, 4}, {4, 7}}));
  EXPECT_EQ(slices_of(2, 4), (Ranges{{0, 1}, {1, 2}}));
}

// N processes have consecutive slices, whose prompts are consecutive too.
TEST(Slices, AreCutAlikeForEveryNumberOfProcesses) {
  const Ranges all = slices_of(24, 12);
  for (const std::size_t processes : {1, 2, 3, 4, 6, 12}) {
    const Ranges of = slices_of(24, static_cast<std::int64_t>(processes));
    const std::size_t each = all.size() / processes;
    for (std::size_t p = 0; p < processes; ++p) {
      EXPECT_EQ(of[p].first, all[p * each].first);
      EXPECT_EQ(of[p].second, all[(p + 1) * each - 1].second);
    }
  }
}

TEST(Slices, HaveTheirOwnPartsAndKeepThem) {
  StepCosts costs;
  costs.prompt_token = 10;
  // Room for eleven tokens.
  const StepMemory memory({{4, 4, 4, 4, 4, 4}, 1, 0}, costs, {110});
  const ItemSlices whole{{{0, 2}, {2, 4}, {4, 6}}};
  EXPECT_EQ(memory.parts_of_slices(6, 1), whole);
  const ItemSlices two{{{0, 2}, {2, 3}}, {{3, 5}, {5, 6}}};
  EXPECT_EQ(memory.parts_of_slices(6, 2), two);
}

// The message of a refusal, or "none".
std::string refusal(const TrainingOptions& options) {
  try {
    options.check("training.");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "none";
}

TEST(TrainingOptionsCheck, EveryMinibatchIsCutIntoSlicesOfOneSize) {
  TrainingOptions options;
  options.prompts_per_step = 12;
  for (const std::int64_t slices : {1, 2, 3, 4, 6, 12}) {
    options.gradient_accumulation = slices;
    EXPECT_EQ(refusal(options), "none");
  }
  options.gradient_accumulation = 5;
  EXPECT_EQ(
      refusal(options),
      "training.gradient_accumulation is 5, the number of slices that "
      "training.prompts_per_step, which is 12, is cut into evenly; give 4 or "
      "6");
  options.gradient_accumulation = 13;
  EXPECT_NE(refusal(options).find("give at most 12"), std::string::npos);
  // Minibatches of 4.
  options.algorithm = Algorithm::kGrpo;
  options.grpo.steps_per_generation = 3;
  options.gradient_accumulation = 4;
  EXPECT_EQ(refusal(options), "none");
  options.gradient_accumulation = 3;
  EXPECT_NE(refusal(options).find("which is 4"), std::string::npos);
  EXPECT_NE(refusal(options).find("give 2 or 4"), std::string::npos);
  // Minibatches of 2 and 3.
  options.grpo.steps_per_generation = 5;
  options.gradient_accumulation = 2;
  EXPECT_NE(
      refusal(options).find("grpo.steps_per_generation is 5"),
      std::string::npos);
  options.gradient_accumulation = 1;
  EXPECT_EQ(refusal(options), "none");
}

TEST(SftOptionsCheck, PairsAreCutIntoSlicesOfOneSize) {
  SftOptions options;
  options.pairs_per_step = 32;
  options.gradient_accumulation = 4;
  EXPECT_NO_THROW(options.check("sft."));
  options.gradient_accumulation = 3;
  EXPECT_THROW(options.check("sft."), CallerError);
}

}  // namespace
}  // namespace moft
