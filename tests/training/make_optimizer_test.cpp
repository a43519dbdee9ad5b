// training.optimizer.kind: adafactor in the production loop.
#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

TinyRun adafactor_run() {
  TinyRun run = tiny_run();
  run.training.optimizer.kind = OptimizerKind::kAdafactor;
  run.training.optimizer.adafactor.multiply_by_parameter_scale = false;
  run.training.optimizer.adafactor.min_dim_size_to_factor = 2;
  return run;
}

bool equal_masters(const TinyTraining& a, const TinyTraining& b) {
  const auto left = masters_of(*a.policy);
  const auto right = masters_of(*b.policy);
  EXPECT_EQ(left.size(), right.size());
  bool equal = true;
  for (const auto& [name, tensor] : left)
    equal &= at::equal(tensor, right.at(name));
  return equal;
}

TEST(OptimizerChoice, AdafactorTrainsAndGoesOnBitForBit) {
  const Scratch scratch;
  const TinyRun run = adafactor_run();
  TinyTraining straight(scratch.path(), run);
  TinyTraining resumed(scratch.path(), run);
  ASSERT_TRUE(equal_masters(straight, resumed));
  straight.trainer->step();
  EXPECT_FALSE(equal_masters(straight, resumed));
  resumed.trainer->step();
  ASSERT_TRUE(equal_masters(straight, resumed));

  const TrainerState state = resumed.trainer->state();
  bool factored = false;
  for (const auto& [name, tensor] : state.optimizer)
    factored |= name.ends_with(".row_moment");
  EXPECT_TRUE(factored);
  resumed.trainer->restore(state);
  straight.trainer->step();
  resumed.trainer->step();
  EXPECT_TRUE(equal_masters(straight, resumed));
}

TEST(OptimizerChoice, StateOfTheOtherOptimizerIsRefused) {
  const Scratch scratch;
  TinyTraining adamw(scratch.path(), tiny_run());
  TinyTraining adafactor(scratch.path(), adafactor_run());
  EXPECT_THROW(adafactor.trainer->restore(adamw.trainer->state()), CallerError);
}

TEST(OptimizerChoice, AdafactorHasNoWeightDecay) {
  TrainingOptions options;
  options.optimizer.kind = OptimizerKind::kAdafactor;
  EXPECT_NO_THROW(options.check("training."));
  options.optimizer.weight_decay = 0.1;
  EXPECT_THROW(options.check("training."), CallerError);
}

}  // namespace
}  // namespace moft::test
