#include "moft/algorithms/schedule.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

TEST(Schedule, WarmUpRisesInAStraightLineAndLearnsFromTheFirstStep) {
  for (const auto shape :
       {ScheduleShape::kConstant,
        ScheduleShape::kLinear,
        ScheduleShape::kCosine}) {
    const LearningRateSchedule options{
        .shape = shape,
        .learning_rate = 0.8,
        .warmup_steps = 4,
        .total_steps = 12};
    EXPECT_DOUBLE_EQ(learning_rate_at(options, 0), 0.2);
    EXPECT_DOUBLE_EQ(learning_rate_at(options, 2), 0.6);
    EXPECT_DOUBLE_EQ(learning_rate_at(options, 3), 0.8);
    EXPECT_DOUBLE_EQ(learning_rate_at(options, 4), 0.8);
  }
}

TEST(Schedule, ShapesAreTheClosedForms) {
  LearningRateSchedule options{
      .shape = ScheduleShape::kConstant,
      .learning_rate = 2.0,
      .warmup_steps = 2,
      .total_steps = 10};
  EXPECT_EQ(learning_rate_at(options, 9), 2.0);
  EXPECT_EQ(learning_rate_at(options, 1000), 2.0);
  options.shape = ScheduleShape::kLinear;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 4), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 9), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 10), 0.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 99), 0.0);
  options.final_fraction = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 6), 2.0 * 0.55);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 10), 0.2);
  options.shape = ScheduleShape::kCosine;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 6), 2.0 * 0.55);
  EXPECT_DOUBLE_EQ(
      learning_rate_at(options, 4),
      2.0 * (0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2));
  EXPECT_NEAR(learning_rate_at(options, 10), 0.2, 1e-15);
}

TEST(Schedule, WarmUpAsLongAsTheRun) {
  const LearningRateSchedule options{
      .shape = ScheduleShape::kLinear,
      .learning_rate = 1.0,
      .warmup_steps = 5,
      .total_steps = 5};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 4), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 5), 0.0);
}

TEST(Schedule, RefusesNonsense) {
  EXPECT_THROW(learning_rate_at({.learning_rate = NAN}, 0), CallerError);
  EXPECT_THROW(learning_rate_at({.learning_rate = -1}, 0), CallerError);
  EXPECT_THROW(learning_rate_at({.warmup_steps = -1}, 0), CallerError);
  EXPECT_THROW(learning_rate_at({.total_steps = 0}, 0), CallerError);
  EXPECT_THROW(learning_rate_at({.final_fraction = 1.5}, 0), CallerError);
  EXPECT_THROW(learning_rate_at({}, -1), CallerError);
}

}  // namespace
}  // namespace moft
