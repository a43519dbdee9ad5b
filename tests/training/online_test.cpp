// The training step on a model of a few thousand parameters.
#include "moft/training/online.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

double largest_difference(
    const std::map<std::string, at::Tensor>& left,
    const std::map<std::string, at::Tensor>& right) {
  double largest = 0.0;
  for (const auto& [name, tensor] : left) {
    largest =
        std::max(largest, (tensor - right.at(name)).abs().max().item<double>());
  }
  return largest;
}

class Kinds : public testing::TestWithParam<SteeredSet> {};

INSTANTIATE_TEST_SUITE_P(
    Online,
    Kinds,
    testing::Values(SteeredSet::kLora, SteeredSet::kFull),
    [](const auto& kind) { return enum_name(kind.param); });

// At initialisation pi == ref for every steering, to the last bit.
TEST_P(Kinds, KlIsExactlyZeroInTheFirstStepAndNotLater) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = GetParam();
  TinyTraining tiny(scratch.path(), run);
  const StepResult first = tiny.trainer->step();
  EXPECT_EQ(first.metrics.at("kl"), 0.0);
  for (const TrainingSample& sample : first.samples)
    EXPECT_EQ(sample.kl, 0.0);
  tiny.trainer->step();
  const StepResult third = tiny.trainer->step();
  EXPECT_NE(third.metrics.at("kl"), 0.0);
}

TEST_P(Kinds, InBf16TheKlStartsAtExactlyZeroToo) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = GetParam();
  run.storage = kernels::Storage::kBFloat16;
  TinyTraining tiny(scratch.path(), run);
  const StepResult first = tiny.trainer->step();
  for (const TrainingSample& sample : first.samples)
    EXPECT_EQ(sample.kl, 0.0);
  EXPECT_LT(first.metrics.at("rollout_gap"), 1e-2);
  tiny.trainer->step();
  EXPECT_NE(tiny.trainer->step().metrics.at("kl"), 0.0);
}

// Six steerings of two copies, as weighting_per: prompt draws them: the policy
// that answers is the one that a batch of one steering is, and that an export
// freezes.
TEST(Online, InBf16ARowDoesNotDependOnHowManySteeringsItsBatchHas) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = SteeredSet::kFull;
  run.storage = kernels::Storage::kBFloat16;
  TinyTraining tiny(scratch.path(), run);
  for (int step = 0; step < 3; ++step)
    EXPECT_LT(tiny.trainer->step().metrics.at("rollout_gap"), 1e-3);
  std::vector<CompletionRequest> requests;
  for (std::uint32_t i = 0; i < 12; ++i) {
    const double w = i / 11.0;
    requests.push_back(
        {tiny.trainer->prompts().ids().front(),
         Steering{Weighting({w, 1 - w}), run.training.kl_strength},
         {1, Purpose::kTest, 0, i}});
  }
  GenerateOptions options;
  options.max_new_tokens = 6;
  const auto together = tiny.policy->complete(requests, options);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto alone = tiny.policy->complete({requests[i]}, options);
    EXPECT_EQ(alone[0].tokens, together[i].tokens) << i;
    EXPECT_EQ(alone[0].log_probs, together[i].log_probs) << i;
  }
}

TEST(Online, AModelWithoutEndTokenIsRefused) {
  const Scratch scratch;
  TinyTraining(scratch.path(), tiny_run());
  const auto file = scratch.path() / "base/config.json";
  auto config = nlohmann::json::parse(read_all(file));
  config.erase("eos_token_id");
  std::ofstream(file) << config.dump();
  try {
    TinyTraining(scratch.path(), tiny_run());
    ADD_FAILURE() << "trains on answers that cannot end";
  } catch (const CallerError& error) {
    EXPECT_NE(std::string(error.what()).find("end token"), std::string::npos);
  }
}

// What was sampled is what is scored: temperature, masks and end token agree.
TEST_P(Kinds, SampledAndScoredLogProbabilitiesAgree) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = GetParam();
  TinyTraining tiny(scratch.path(), run);
  for (int i = 0; i < 3; ++i)
    EXPECT_LT(tiny.trainer->step().metrics.at("rollout_gap"), 1e-5);
}

// The same update however many parts a step is computed in. Adam divides by
// the root of the squared gradient, so an element whose gradient is only
// rounding may still move by a whole learning rate; the learning rate is the
// scale of the tolerance.
TEST_P(Kinds, GradientAccumulationGivesTheSameUpdate) {
  const Scratch scratch;
  std::vector<std::map<std::string, at::Tensor>> masters;
  std::vector<double> norms;
  for (const std::int64_t parts : {1, 2, 3, 6}) {
    TinyRun run = tiny_run();
    run.steered_set = GetParam();
    run.training.gradient_accumulation = parts;
    run.training.gradient_clip.reset();
    run.training.optimizer.epsilon = 1e-3;
    TinyTraining tiny(scratch.path(), run);
    norms.push_back(tiny.trainer->step().metrics.at("grad_norm"));
    masters.push_back(masters_of(*tiny.policy));
  }
  EXPECT_GT(norms[0], 0.0);
  for (std::size_t i = 1; i < masters.size(); ++i) {
    EXPECT_NEAR(norms[i], norms[0], 1e-5 * norms[0]);
    EXPECT_LT(largest_difference(masters[i], masters[0]), 1e-3 * 0.02);
  }
}

TEST(Online, WeightingPerBatchIsOneAndPerPromptIsOneEach) {
  const Scratch scratch;
  for (const WeightingPer per : {WeightingPer::kBatch, WeightingPer::kPrompt}) {
    TinyRun run = tiny_run();
    run.training.weighting_per = per;
    TinyTraining tiny(scratch.path(), run);
    std::set<Steering> of_batch;
    std::set<Steering> of_steps;
    for (int step = 0; step < 3; ++step) {
      const StepResult result = tiny.trainer->step();
      // Rows are prompt-major; an example may come twice in a step that runs
      // over the end of an epoch.
      std::map<std::int64_t, std::set<Steering>> of_prompt;
      std::set<Steering> of_step;
      for (std::size_t row = 0; row < result.samples.size(); ++row) {
        const Steering& steering = result.samples[row].steering;
        const auto sample = static_cast<std::int64_t>(row);
        of_prompt[sample / run.training.samples_per_prompt].insert(steering);
        of_step.insert(steering);
        of_steps.insert(steering);
      }
      for (const auto& [prompt, steerings] : of_prompt)
        EXPECT_EQ(steerings.size(), 1U);
      EXPECT_EQ(of_step.size(), per == WeightingPer::kBatch ? 1U : 6U);
    }
    EXPECT_EQ(of_steps.size(), per == WeightingPer::kBatch ? 3U : 18U);
  }
}

// r = (1 - alpha) w.R - alpha (log pi - log ref), from the sample's own parts.
double reward_of(const TrainingSample& sample) {
  double scalar = 0.0;
  for (std::size_t i = 0; i < sample.rewards.size(); ++i)
    scalar += sample.steering.w[i] * sample.rewards[i];
  const double alpha = sample.steering.alpha;
  return (1 - alpha) * scalar - alpha * sample.kl;
}

// The advantage by the textbook, from the rewards of all samples.
std::vector<double> advantages_of(
    const std::vector<TrainingSample>& samples, Baseline baseline) {
  std::vector<double> advantages;
  for (const TrainingSample& sample : samples) {
    double others = 0.0;
    double count = 0.0;
    for (const TrainingSample& other : samples) {
      const bool in_group = baseline == Baseline::kBatchMean ||
                            (other.example == sample.example &&
                             other.steering == sample.steering);
      const bool self = &other == &sample;
      if (!in_group || (self && baseline == Baseline::kLeaveOneOut)) continue;
      others += reward_of(other);
      count += 1.0;
    }
    advantages.push_back(reward_of(sample) - others / count);
  }
  return advantages;
}

TEST(Online, RewardsAndAdvantagesFollowTheTextbook) {
  const Scratch scratch;
  for (const Baseline baseline :
       {Baseline::kBatchMean, Baseline::kLeaveOneOut}) {
    TinyRun run = tiny_run();
    run.training.baseline = baseline;
    run.training.kl_strength = 0.1;
    run.training.advantage_normalisation = AdvantageNormalisation::kNone;
    TinyTraining tiny(scratch.path(), run);
    for (int step = 0; step < 3; ++step) {
      const StepResult result = tiny.trainer->step();
      const auto wanted = advantages_of(result.samples, baseline);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const TrainingSample& sample = result.samples[i];
        EXPECT_NEAR(sample.reward, reward_of(sample), 1e-12);
        EXPECT_NEAR(sample.advantage, wanted[i], 1e-12);
      }
    }
  }
}

// A weighting on one objective alone trains that objective's copy alone.
TEST_P(Kinds, CopiesWithoutWeightStayAsTheyAre) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = GetParam();
  run.weightings.sampler = WeightingDistribution::kFixed;
  run.weightings.weights = {{"a", 1.0}, {"b", 0.0}};
  TinyTraining tiny(scratch.path(), run);
  const auto before = masters_of(*tiny.policy);
  for (int step = 0; step < 3; ++step)
    tiny.trainer->step();
  const auto after = masters_of(*tiny.policy);
  double moved = 0.0;
  for (const auto& [name, tensor] : after) {
    const double distance =
        (tensor - before.at(name)).abs().max().item<double>();
    if (name.starts_with("b/")) {
      EXPECT_EQ(distance, 0.0) << name;
    }
    if (name.starts_with("a/")) moved = std::max(moved, distance);
  }
  EXPECT_GT(moved, 0.01);
}

// Learning: under the weighting on `a`, answers with an "a" become the rule.
TEST_P(Kinds, ReinforceRaisesTheRewardItIsGiven) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.steered_set = GetParam();
  run.training.steps = 60;
  run.training.baseline = Baseline::kLeaveOneOut;
  run.training.optimizer.learning_rate =
      GetParam() == SteeredSet::kLora ? 0.05 : 0.01;
  run.weightings.sampler = WeightingDistribution::kGrid;
  run.weightings.grid_points = 2;
  TinyTraining tiny(scratch.path(), run);
  // Mean raw reward of the objective that a sample's weighting asks for, and
  // of the other one, over ten steps.
  const auto ten_steps = [&] {
    double wanted = 0.0;
    double unwanted = 0.0;
    double count = 0.0;
    for (int step = 0; step < 10; ++step) {
      for (const TrainingSample& sample : tiny.trainer->step().samples) {
        const std::size_t asked = sample.steering.w[0] == 1.0 ? 0 : 1;
        wanted += sample.raw_rewards[asked];
        unwanted += sample.raw_rewards[1 - asked];
        count += 1.0;
      }
    }
    return std::pair(wanted / count, unwanted / count);
  };
  const auto first = ten_steps();
  for (int i = 0; i < 4; ++i)
    ten_steps();
  const auto last = ten_steps();
  EXPECT_GT(last.first, first.first + 0.3);
  EXPECT_GT(last.first, last.second + 0.3);
}

TEST(Online, ARestoredTrainerTakesTheSameSteps) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  TinyTraining straight(scratch.path(), run);
  for (int step = 0; step < 2; ++step)
    straight.trainer->step();
  TrainerState state = straight.trainer->state();
  for (auto* tensors : {&state.masters, &state.optimizer}) {
    for (auto& [name, tensor] : *tensors)
      tensor = tensor.clone();
  }
  const StepResult third = straight.trainer->step();

  TinyTraining restored(scratch.path(), run);
  restored.trainer->restore(state);
  const StepResult again = restored.trainer->step();
  EXPECT_EQ(again.step, third.step);
  EXPECT_EQ(again.metrics.at("reward"), third.metrics.at("reward"));
  EXPECT_EQ(again.metrics.at("kl"), third.metrics.at("kl"));
  EXPECT_EQ(
      largest_difference(
          masters_of(*restored.policy), masters_of(*straight.policy)),
      0.0);
}

TEST(Online, PromptsLongerThanTheLimitAreNamed) {
  const Scratch scratch;
  TinyTraining tiny(scratch.path(), tiny_run());
  TrainerInputs inputs;
  inputs.policy = tiny.policy.get();
  inputs.objectives = tiny.objectives.get();
  inputs.examples = &tiny.examples;
  inputs.max_prompt_tokens = 8;
  try {
    OnlineTrainer trainer(
        inputs,
        tiny_run().training,
        make_weighting_sampler(WeightingOptions{}, {"a", "b"}, "weightings"));
    ADD_FAILURE() << "a prompt of 9 tokens passed a limit of 8";
  } catch (const CallerError& error) {
    EXPECT_NE(std::string(error.what()).find("three"), std::string::npos);
  }
}

}  // namespace
}  // namespace moft::test
