#include "moft/training/guards.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace moft {
namespace {

std::map<std::string, double> step(double kl, double distinct) {
  return {{"kl", kl}, {"completions/distinct_ratio", distinct}};
}

GuardOptions options() {
  GuardOptions options;
  options.kl_ceiling = 50.0;
  options.distinct_floor = 0.5;
  options.patience = 3;
  return options;
}

TEST(Guards, StopAfterPatienceStepsInARowAndNotBefore) {
  Guards guards(options());
  EXPECT_FALSE(guards.check(step(51, 1)));
  EXPECT_FALSE(guards.check(step(52, 1)));
  EXPECT_TRUE(guards.alarmed());
  EXPECT_FALSE(guards.check(step(50, 1)));  // at the ceiling is not above it
  EXPECT_FALSE(guards.alarmed());
  EXPECT_FALSE(guards.check(step(51, 1)));
  EXPECT_FALSE(guards.check(step(52, 1)));
  const auto reason = guards.check(step(53.25, 1));
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find("53.25"), std::string::npos) << *reason;
  EXPECT_NE(reason->find("training.guards.kl_ceiling = 50"), std::string::npos)
      << *reason;
}

TEST(Guards, CollapseIsNamedWithItsFigure) {
  Guards guards(options());
  guards.check(step(1, 0.25));
  guards.check(step(1, 0.25));
  const auto reason = guards.check(step(1, 0.125));
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find("0.125"), std::string::npos) << *reason;
  EXPECT_NE(reason->find("collapsed"), std::string::npos) << *reason;
}

TEST(Guards, TheTwoCountApart) {
  Guards guards(options());
  guards.check(step(99, 1));
  guards.check(step(99, 0));
  EXPECT_FALSE(guards.check(step(1, 0)));
  EXPECT_EQ(guards.state().kl_steps, 0);
  EXPECT_EQ(guards.state().collapse_steps, 2);
}

TEST(Guards, GoOnWhereTheyWereSaved) {
  Guards guards(options(), GuardState{.kl_steps = 2, .collapse_steps = 0});
  EXPECT_TRUE(guards.check(step(51, 1)));
}

TEST(Guards, AKlThatIsNoNumberBreaksTheCeiling) {
  GuardOptions strict = options();
  strict.patience = 1;
  Guards guards(strict);
  EXPECT_TRUE(guards.check(step(std::nan(""), 1)));
}

TEST(Guards, NullSwitchesThemOff) {
  GuardOptions off;
  off.kl_ceiling.reset();
  off.distinct_floor.reset();
  Guards guards(off);
  for (int i = 0; i < 10; ++i)
    EXPECT_FALSE(
        guards.check(step(std::numeric_limits<double>::infinity(), 0)));
}

// Supervised finetuning has neither KLs nor completions.
TEST(Guards, MetricsThatAStepDoesNotHaveAreNotGuarded) {
  Guards guards(options());
  for (int i = 0; i < 10; ++i)
    EXPECT_FALSE(guards.check({{"loss", 100.0}}));
  EXPECT_FALSE(guards.alarmed());
}

TEST(Guards, TheAlarmIsThatOfTheLastStep) {
  Guards guards(options());
  EXPECT_FALSE(guards.alarm());
  guards.check(step(51.5, 1));
  ASSERT_TRUE(guards.alarm());
  EXPECT_NE(guards.alarm()->find("51.5 nats"), std::string::npos);
  // From a checkpoint that was saved in alarm, before another step.
  const Guards restored(options(), guards.state());
  ASSERT_TRUE(restored.alarm());
  EXPECT_NE(
      restored.alarm()->find("kl_ceiling was broken for 1 step"),
      std::string::npos);
  guards.check(step(1, 1));
  EXPECT_FALSE(guards.alarm());
}

}  // namespace
}  // namespace moft
