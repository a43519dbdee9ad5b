// Training on rewards from outside the process: the same bits whatever the
// delays, and completions without a reward.
#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/rewards/outside/python_reward.h"
#include "moft/rewards/regex_reward.h"
#include "moft/training/online_step.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

PythonOptions function(const std::string& name) {
  PythonOptions options;
  options.file = MOFT_SOURCE_DIR "/tests/rewards/outside/functions.py";
  options.function = name;
  return options;
}

struct Trained {
  std::map<std::string, at::Tensor> masters;
  std::vector<std::map<std::string, double>> metrics;
};

Trained train(const TinyRun& run, int steps = 3) {
  const Scratch scratch;
  TinyTraining tiny(scratch.path(), run);
  Trained trained;
  for (int step = 0; step < steps; ++step)
    trained.metrics.push_back(tiny.trainer->step().metrics);
  trained.masters = masters_of(*tiny.policy);
  return trained;
}

void expect_equal(const Trained& a, const Trained& b, const std::string& what) {
  for (const auto& [name, tensor] : a.masters)
    EXPECT_TRUE(at::equal(tensor, b.masters.at(name))) << what << " " << name;
}

// letter_a waits for a random time, and three processes answer in any order.
TEST(OutsideRewards, RandomDelaysGiveTheBitsOfRewardsComputedHere) {
  const Trained here = train(tiny_run());
  for (const CallUnit unit :
       {CallUnit::kRow, CallUnit::kGroup, CallUnit::kStep}) {
    TinyRun run = tiny_run();
    PythonOptions a = function("letter_a");
    a.unit = unit;
    a.workers = 3;
    PythonOptions b = function("letter_b");
    run.objectives = {
        {"a", ObjectiveOptions("python", a)},
        {"b", ObjectiveOptions("python", b)}};
    const Trained outside = train(run);
    expect_equal(outside, here, enum_name(unit));
    for (const char* key : {"time/rewards/a", "time/rewards/b"})
      EXPECT_TRUE(outside.metrics.back().contains(key)) << key;
    EXPECT_GT(outside.metrics.back().at("time/reward_calls"), 0);
  }
}

TEST(OutsideRewards, CompletionsWithoutARewardAreCounted) {
  TinyRun run = tiny_run();
  PythonOptions b = function("letter_b_or_none");
  b.missing = MissingReward::kSkip;
  run.objectives = {
      {"a", ObjectiveOptions("regex", RegexOptions{.pattern = "a"})},
      {"b", ObjectiveOptions("python", b)}};
  const auto metrics = train(run, 1).metrics.front();
  EXPECT_GT(metrics.at("rewards/b/missing"), 0);
  EXPECT_FALSE(metrics.contains("rewards/a/missing"));
  EXPECT_GE(
      metrics.at("rewards/rows_left_out"), metrics.at("rewards/b/missing"));
  for (const auto& [name, value] : metrics)
    EXPECT_TRUE(std::isfinite(value)) << name;
}

TEST(OutsideRewards, AValueNetworkLearnsFromTheRewardsThatAreThere) {
  for (const ValueTarget target :
       {ValueTarget::kObjectives, ValueTarget::kReward}) {
    TinyRun run = tiny_run();
    run.training.baseline = Baseline::kValue;
    run.training.value.target = target;
    PythonOptions b = function("letter_b_or_none");
    b.missing = MissingReward::kSkip;
    run.objectives = {
        {"a", ObjectiveOptions("regex", RegexOptions{.pattern = "a"})},
        {"b", ObjectiveOptions("python", b)}};
    const Trained trained = train(run, 2);
    for (const auto& metrics : trained.metrics) {
      EXPECT_GT(metrics.at("rewards/b/missing"), 0);
      EXPECT_GT(metrics.at("value/grad_norm"), 0);
      for (const auto& [name, value] : metrics)
        EXPECT_TRUE(std::isfinite(value)) << name;
    }
    for (const auto& [name, tensor] : trained.masters)
      EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
  }
}

// A step that was stopped while it waited is taken again with the same bits.
TEST(OutsideRewards, AStoppedStepIsTakenAgain) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    TinyRun run = tiny_run();
    run.steered_set = set;
    run.objectives = {
        {"a", ObjectiveOptions("python", function("letter_a_later"))},
        {"b", ObjectiveOptions("regex", RegexOptions{.pattern = "b"})}};
    const Trained straight = train(run, 2);
    const Scratch scratch;
    TinyTraining tiny(scratch.path(), run);
    tiny.trainer->step();
    tiny.trainer->stop_when([] { return true; });
    EXPECT_THROW(tiny.trainer->step(), WaitStopped);
    EXPECT_EQ(tiny.trainer->finished_steps(), 1);
    tiny.trainer->stop_when(nullptr);
    Trained stopped;
    tiny.trainer->step();
    stopped.masters = masters_of(*tiny.policy);
    expect_equal(stopped, straight, enum_name(set));
  }
}

// Two prompts of three samples under one weighting; no KL.
struct Step {
  Step() {
    for (int p = 0; p < 2; ++p) {
      draw.prompts.push_back({1});
      draw.steerings.push_back({Weighting({1.0}), 0.0});
    }
    draw.samples_per_prompt = 3;
    rollout.rows.resize(6);
    for (Generation& row : rollout.rows)
      row.finished = true;
    rewards.mapped =
        at::tensor({1., 2., 6., 0., 5., 3.}, at::kDouble).unsqueeze(1);
    rewards.raw = rewards.mapped;
    ratios.sequence = at::zeros({6}, at::kDouble);
    ratios.reward_kl = ratios.sequence;
    options.advantage_normalisation = AdvantageNormalisation::kNone;
  }
  void skip(std::vector<std::size_t> rows) {
    for (const std::size_t row : rows)
      rewards.mapped[static_cast<std::int64_t>(row)] = std::nan("");
    rewards.skipped = std::move(rows);
  }
  Advantages advantages() const {
    return make_advantages(draw, rollout, rewards, ratios, {}, options);
  }

  Draw draw;
  Rollout rollout;
  Scores rewards;
  LogRatios ratios;
  TrainingOptions options;
};

void expect_values(const at::Tensor& found, const std::vector<double>& values) {
  ASSERT_EQ(found.numel(), std::ssize(values));
  for (std::int64_t i = 0; i < found.numel(); ++i)
    EXPECT_NEAR(
        found[i].item<double>(), values[static_cast<std::size_t>(i)], 1e-9)
        << i;
}

TEST(SkippedRows, HaveNoPartInBaselineNormaliserAndGradient) {
  Step step;
  // Leave one out of {1, 6} and {0, 5, 3}.
  step.skip({1});
  Advantages a = step.advantages();
  expect_values(a.advantage, {-5, 0, 5, -4, 3.5, 0.5});
  EXPECT_EQ(a.kl_weight[1].item<double>(), 0);
  EXPECT_TRUE(std::isnan(a.reward[1].item<double>()));
  const Experience experience{
      step.draw, step.rollout, step.rewards, step.ratios, a};
  EXPECT_EQ(whole_batch(experience).normaliser, 5);
  // A row that is left alone has nothing to be compared with.
  step.skip({1, 2});
  a = step.advantages();
  expect_values(a.advantage, {0, 0, 0, -4, 3.5, 0.5});
  EXPECT_EQ(a.kept.numel(), 3);
  // The mean of the batch, whoever is alone.
  step.options.baseline = Baseline::kBatchMean;
  a = step.advantages();
  expect_values(a.advantage, {-1.25, 0, 0, -2.25, 2.75, 0.75});
  // Normalised over the same rows: population deviation of {1, 0, 5, 3}.
  step.options.advantage_normalisation = AdvantageNormalisation::kBatch;
  const double deviation =
      std::sqrt((1.5625 + 5.0625 + 7.5625 + .5625) / 4) + 1e-8;
  expect_values(
      step.advantages().advantage,
      {-1.25 / deviation,
       0,
       0,
       -2.25 / deviation,
       2.75 / deviation,
       .75 / deviation});
  // None is left: a step without effect.
  step.skip({0, 1, 2, 3, 4, 5});
  a = step.advantages();
  expect_values(a.advantage, {0, 0, 0, 0, 0, 0});
  EXPECT_EQ(a.kept.numel(), 0);
}

}  // namespace
}  // namespace moft::test
