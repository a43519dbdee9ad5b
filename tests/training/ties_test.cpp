// Rewards that do not vary: nothing moves, nothing explodes, and the run says
// so. Paper, algorithm 1, under every way of bringing the KL in.
#include <gtest/gtest.h>

#include "tests/training/run_support.h"

namespace moft::test {
namespace {

// Every completion gets 1 of both objectives.
TinyRun saturated_run() {
  TinyRun run = tiny_run();
  run.patterns = {{"a", ""}, {"b", ""}};
  return run;
}

// One objective saturated, the other never met: the scalar reward differs
// between prompts, as their weightings do, and is one number in each.
TinyRun one_sided_run() {
  TinyRun run = tiny_run();
  run.patterns = {{"a", ""}, {"b", "no such text"}};
  return run;
}

void load(SteeredPolicy& policy, const std::map<std::string, at::Tensor>& all) {
  policy.conditioning()->load(
      [&](const std::string& name, const std::vector<std::int64_t>&) {
        return all.at(name);
      });
}

std::vector<TrainingOptions> all_ways(const TrainingOptions& base) {
  std::vector<TrainingOptions> ways;
  for (const auto& [estimator, name] : enum_names(KlEstimator{})) {
    for (const auto& [kind, kind_name] : enum_names(AdvantageNormalisation{})) {
      TrainingOptions options = base;
      options.kl_estimator = estimator;
      options.advantage_normalisation = kind;
      ways.push_back(options);
    }
  }
  return ways;
}

std::string name_of(const TrainingOptions& options) {
  return enum_name(options.kl_estimator) + " " +
         enum_name(options.advantage_normalisation) + " " +
         enum_name(options.baseline) + " " + enum_name(options.optimizer.kind);
}

class Ties : public testing::Test {
 protected:
  // Masters that a short training has moved from the reference.
  std::map<std::string, at::Tensor> moved(SteeredSet set) {
    TinyRun run = tiny_run();
    run.steered_set = set;
    TinyTraining tiny(scratch_.path(), run);
    for (int step = 0; step < 3; ++step)
      tiny.trainer->step();
    return masters_of(*tiny.policy);
  }

  void expect_nothing_moves(
      const TinyRun& run, const std::map<std::string, at::Tensor>& start) {
    TinyTraining tiny(scratch_.path(), run);
    load(*tiny.policy, start);
    for (int step = 0; step < 2; ++step) {
      const StepResult result = tiny.trainer->step();
      EXPECT_EQ(result.metrics.at("grad_norm"), 0.0) << name_of(run.training);
      EXPECT_EQ(result.metrics.at("frac_reward_zero_std"), 1.0);
    }
    for (const auto& [name, tensor] : masters_of(*tiny.policy)) {
      EXPECT_TRUE(tensor.equal(start.at(name)))
          << name << " " << name_of(run.training);
    }
  }

  Scratch scratch_;
};

TEST_F(Ties, WithEqualRewardsAndAlphaZeroNoParameterMoves) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    const auto start = moved(set);
    TinyRun run = saturated_run();
    run.steered_set = set;
    run.training.kl_strength = 0.0;
    for (const TrainingOptions& options : all_ways(run.training)) {
      run.training = options;
      expect_nothing_moves(run, start);
    }
  }
}

TEST_F(Ties, SoItIsWithEveryBaselineOptimizerAndInParts) {
  const auto start = moved(SteeredSet::kFull);
  TinyRun run = saturated_run();
  run.steered_set = SteeredSet::kFull;
  run.training.kl_strength = 0.0;
  run.training.gradient_accumulation = 2;
  for (const auto& [baseline, name] : enum_names(Baseline{})) {
    for (const auto& [kind, optimizer] : enum_names(OptimizerKind{})) {
      for (const auto& [norm, norm_name] :
           enum_names(AdvantageNormalisation{})) {
        run.training.baseline = baseline;
        run.training.optimizer.kind = kind;
        run.training.optimizer.adafactor.min_dim_size_to_factor = 8;
        run.training.advantage_normalisation = norm;
        expect_nothing_moves(run, start);
      }
    }
  }
}

TEST_F(Ties, AndWithRewardsThatDifferByTheWeightingAlone) {
  const auto start = moved(SteeredSet::kLora);
  TinyRun run = one_sided_run();
  run.training.kl_strength = 0.0;
  for (const TrainingOptions& options : all_ways(run.training)) {
    run.training = options;
    expect_nothing_moves(run, start);
  }
}

// Where the KL is not part of the reward, saturated rewards leave alpha times
// its gradient and nothing else: under every normaliser the same, neither 0
// nor divided by rounding.
TEST_F(Ties, TheDirectKlKeepsItsWeightUnderEveryNormaliser) {
  for (const bool one_sided : {false, true}) {
    const auto start = moved(SteeredSet::kLora);
    TinyRun run = one_sided ? one_sided_run() : saturated_run();
    run.training.kl_strength = 0.01;
    run.training.kl_estimator = KlEstimator::kTokenDirect;
    std::vector<double> norms;
    for (const auto& [kind, name] : enum_names(AdvantageNormalisation{})) {
      run.training.advantage_normalisation = kind;
      TinyTraining tiny(scratch_.path(), run);
      load(*tiny.policy, start);
      norms.push_back(tiny.trainer->step().metrics.at("grad_norm"));
    }
    EXPECT_GT(norms[0], 0.0);
    EXPECT_EQ(norms[1], norms[0]);
    EXPECT_EQ(norms[2], norms[0]);
  }
}

// Saturated for many steps: the step stays of the size that the KL asks for.
TEST_F(Ties, SaturatedRewardsNeverMakeAStepLarge) {
  const auto start = moved(SteeredSet::kLora);
  TinyRun run = saturated_run();
  run.training.kl_strength = 0.01;
  run.training.gradient_clip.reset();
  for (const TrainingOptions& options : all_ways(run.training)) {
    run.training = options;
    TinyTraining tiny(scratch_.path(), run);
    load(*tiny.policy, start);
    for (int step = 0; step < 8; ++step) {
      const double norm = tiny.trainer->step().metrics.at("grad_norm");
      EXPECT_LT(norm, 100.0) << name_of(options);
      if (step == 0) {
        const bool none = options.kl_estimator == KlEstimator::kNone;
        EXPECT_EQ(norm == 0.0, none) << name_of(options);
      }
    }
  }
}

TEST_F(Ties, TheRunSaysThatTheRewardsDoNotVary) {
  for (const bool tied : {true, false}) {
    TinyRun run = tied ? saturated_run() : tiny_run();
    run.training.steps = 10;
    run.training.checkpoint.every.reset();
    TinyTraining tiny(scratch_.path(), run);
    const RunSetup setup = setup_of(scratch_.path() / (tied ? "tied" : "free"));
    testing::internal::CaptureStderr();
    run_tiny(setup, tiny);
    const std::string said = testing::internal::GetCapturedStderr();
    const auto says = [&](const char* words) {
      return said.find(words) != std::string::npos;
    };
    EXPECT_EQ(says("step 1: the rewards do not vary"), tied) << said;
    EXPECT_FALSE(says("step 2: the rewards")) << said;
    EXPECT_EQ(says("step 10: the rewards do not vary"), tied) << said;
  }
}

}  // namespace
}  // namespace moft::test
