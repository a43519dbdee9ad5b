// Every method, stopped and resumed through its files: the bits of a run that
// never stopped.
#include <gtest/gtest.h>

#include "tests/training/run_support.h"

namespace moft::test {
namespace {

struct Method {
  const char* name;
  void (*choose)(TrainingOptions& options);
};

constexpr Method kMethods[] = {
    {"GroupMean",
     [](TrainingOptions& options) { options.baseline = Baseline::kGroupMean; }},
    {"Running",
     [](TrainingOptions& options) {
       options.reward_standardisation = RewardStandardisation::kRunning;
     }},
    {"NormalizeThenSum",
     [](TrainingOptions& options) {
       options.multi_objective_aggregation =
           RewardAggregation::kNormalizeThenSum;
     }},
    {"SerNash",
     [](TrainingOptions& options) {
       options.scalarisation.kind = ScalarisationKind::kNash;
       options.scalarisation.criterion = ScalarisationCriterion::kSer;
     }},
    {"GrpoMinibatches",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kGrpo;
       options.grpo.num_iterations = 2;
       options.grpo.steps_per_generation = 3;
       options.kl_estimator = KlEstimator::kTokenK3;
       options.gradient_cosine_every = 2;
     }},
    {"GrpoSer",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kGrpo;
       options.grpo.loss_type = LossType::kDrGrpo;
       options.scalarisation.kind = ScalarisationKind::kSmoothMinimum;
       options.scalarisation.criterion = ScalarisationCriterion::kSer;
     }},
    {"Ppo",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kPpo;
       options.ppo.num_mini_batches = 2;
     }},
    {"PpoRunning",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kPpo;
       options.value.target = ValueTarget::kReward;
       options.value.warmup_steps = 3;
       options.reward_standardisation = RewardStandardisation::kRunning;
     }},
    {"OnlineDpo",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kOnlineDpo;
       options.online_dpo.label_smoothing = 0.1;
     }},
};

class Resume : public testing::TestWithParam<Method> {};

TEST_P(Resume, GivesTheBitsOfARunThatNeverStopped) {
  const Scratch scratch;
  TinyRun run = six_steps();
  run.training.kl_strength = 0.1;
  GetParam().choose(run.training);
  run.training.check("training.");
  const fs::path straight = scratch.path() / "straight";
  const fs::path broken = scratch.path() / "broken";
  ASSERT_TRUE(run_in(straight, scratch.path(), run).finished);
  ASSERT_FALSE(run_in(broken, scratch.path(), run, 2).finished);
  ASSERT_TRUE(run_in(broken, scratch.path(), run).finished);
  const char* const last = "checkpoints/step-6";
  const auto expected = contents_of(straight / last);
  const auto found = contents_of(broken / last);
  EXPECT_TRUE(expected.contains("steering.safetensors"));
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, bytes] : expected) {
    if (name.ends_with(".safetensors")) {
      EXPECT_EQ(found.at(name), bytes) << name;
    }
  }
  EXPECT_EQ(timeless_metrics(broken), timeless_metrics(straight));
  EXPECT_EQ(read_all(broken / kSamplesFile), read_all(straight / kSamplesFile));
}

INSTANTIATE_TEST_SUITE_P(
    Methods, Resume, testing::ValuesIn(kMethods), [](const auto& method) {
      return std::string(method.param.name);
    });

}  // namespace
}  // namespace moft::test
