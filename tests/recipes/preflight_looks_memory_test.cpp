// The memory that a run needs beside what is there.
#include <gtest/gtest.h>

#include "moft/recipes/preflight_looks.h"
#include "moft/training/step_costs.h"

namespace moft {
namespace {

MemoryQuestion question() {
  MemoryQuestion question;
  question.shape.vocabulary = 100;
  question.shape.width = 8;
  question.shape.layers = 2;
  question.shape.parameters = 10'000;
  question.objectives = 2;
  question.prompt_tokens = 10;
  return question;
}

Findings look(DeviceChoice device, int local_ranks) {
  Findings findings;
  look_at_memory(findings, question(), device, local_ranks);
  return findings;
}

TEST(MemoryWarning, CountsTheRanksOfTheMachine) {
  const auto there = available_memory();
  if (!there) GTEST_SKIP() << "this system does not say what memory it has";
  const std::int64_t each = estimate_memory(question()).peak();
  ASSERT_LT(100 * each, *there);
  // More memory may be free a moment later.
  const int ranks = static_cast<int>(4 * (*there / each));
  EXPECT_TRUE(look(DeviceChoice::kCpu, 1).warnings().empty());
  EXPECT_TRUE(look(DeviceChoice::kCpu, 2).warnings().empty());
  const auto warnings = look(DeviceChoice::kCpu, ranks).warnings();
  ASSERT_EQ(warnings.size(), 1U);
  const std::string begin = fmt::format(
      "the run needs about {} of memory for {} ranks on this machine by "
      "estimate, but ",
      bytes_as_text(each * ranks),
      ranks);
  EXPECT_EQ(warnings.front().substr(0, begin.size()), begin);
  // On GPUs it is their memory that counts.
  EXPECT_TRUE(look(DeviceChoice::kCuda, ranks).warnings().empty());
}

}  // namespace
}  // namespace moft
