// Samplers of steerings: what they draw, and a state that checkpoints keep.
#include "moft/training/steering_sampler.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/training/run_support.h"

namespace moft::test {
namespace {

TEST(SteeringSampler, ABatchHasOneSteeringOrOnePerPrompt) {
  TrainingOptions options;
  options.kl_sampler = AlphaDistribution::kUniform;
  const KlRange range(0.1);
  const auto draw = [&](WeightingPer per) {
    options.weighting_per = per;
    return IndependentSteerings(
               make_weighting_sampler({}, {"a", "b"}, "weightings"),
               options,
               range)
        .draw(3, 5);
  };
  const auto each = draw(WeightingPer::kPrompt);
  const auto one = draw(WeightingPer::kBatch);
  ASSERT_EQ(each.size(), 5U);
  EXPECT_NE(each[0], each[1]);
  for (const Steering& steering : one)
    EXPECT_EQ(steering, each[0]);
}

// The weighting that did worst last time is drawn next.
class Adaptive : public SteeringSampler {
 public:
  std::vector<Steering> draw(std::int64_t, std::size_t prompts) override {
    return std::vector<Steering>(
        prompts, Steering{Weighting({share_, 1 - share_}), 0.01});
  }
  void observe(const Experience& experience) override {
    const at::Tensor means = experience.rewards.mapped.mean(0);
    const double lower = means.argmin().item<std::int64_t>() == 0 ? 1.0 : 0.0;
    share_ = 0.5 * share_ + 0.5 * lower;
  }
  NamedTensors state() const override {
    return {{"share", at::tensor({static_cast<float>(share_)})}};
  }
  void restore(const NamedTensors& state) override {
    if (!state.empty()) share_ = state.at("share").item<float>();
  }

 private:
  double share_ = 0.5;
};

std::unique_ptr<OnlineTrainer> adaptive_trainer(
    const TinyTraining& tiny, const TinyRun& run) {
  TrainerInputs inputs;
  inputs.policy = tiny.policy.get();
  inputs.objectives = tiny.objectives.get();
  inputs.examples = &tiny.examples;
  return std::make_unique<OnlineTrainer>(
      inputs, run.training, std::make_unique<Adaptive>());
}

TEST(SteeringSampler, AnAdaptiveSamplersStateIsKeptByCheckpoints) {
  const Scratch scratch;
  const TinyRun options = six_steps();
  const auto run = [&](const fs::path& directory, std::int64_t stop_after) {
    TinyTraining tiny(scratch.path(), options);
    tiny.trainer = adaptive_trainer(tiny, options);
    RunSetup setup = setup_of(directory);
    setup.stop_requested = [&] {
      return tiny.trainer->finished_steps() >= stop_after;
    };
    std::optional<Checkpoint> resume;
    const auto found = list_checkpoints(directory);
    if (!found.empty()) resume = read_intact_checkpoint(found.back());
    return run_tiny(setup, tiny, resume);
  };
  const fs::path straight = scratch.path() / "straight";
  const fs::path broken = scratch.path() / "broken";
  ASSERT_TRUE(run(straight, 100).finished);
  ASSERT_FALSE(run(broken, 3).finished);
  ASSERT_TRUE(run(broken, 100).finished);
  EXPECT_EQ(read_all(straight / kSamplesFile), read_all(broken / kSamplesFile));
  EXPECT_TRUE(fs::exists(straight / "checkpoints/step-6/sampler.safetensors"));
  // A sampler without state does not take one.
  EXPECT_THROW(run_in(broken, scratch.path(), six_steps()), CallerError);
}

// What a step may draw decides how its rollout applies copies.
TEST(SteeringSampler, CountsTheSteeringsThatAStepCanDraw) {
  const Weighting half({0.5, 0.5});
  const auto most = [](WeightingSampler weightings,
                       const TrainingOptions& options) {
    return IndependentSteerings(std::move(weightings), options, KlRange(0.01))
        .most_distinct(6);
  };
  TrainingOptions options;
  options.weighting_per = WeightingPer::kPrompt;
  EXPECT_EQ(most(WeightingSampler(DirichletSampling{{1, 1}}), options), 6u);
  EXPECT_EQ(most(WeightingSampler(DirichletSampling{{1}}), options), 1u);
  EXPECT_EQ(most(WeightingSampler(FixedSampling{half}), options), 1u);
  EXPECT_EQ(most(WeightingSampler(GridSampling{{half, half}}), options), 2u);
  options.kl_sampler = AlphaDistribution::kInverse;
  EXPECT_EQ(most(WeightingSampler(FixedSampling{half}), options), 6u);
  options.weighting_per = WeightingPer::kBatch;
  EXPECT_EQ(most(WeightingSampler(FixedSampling{half}), options), 1u);
}

TEST(SteeringSampler, WithoutStateThereIsNoFile) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  run_in(run, scratch.path(), six_steps());
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-6/sampler.safetensors"));
}

}  // namespace
}  // namespace moft::test
