// baseline: value in the production loop.
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/run.h"

#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"
#include "tests/training/run_support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

struct ValueKind {
  const char* name;
  SteeredSet set;
  bool prompt;
  bool t5;
};

class ValueTraining : public testing::TestWithParam<ValueKind> {
 protected:
  ValueTraining() {
    if (GetParam().t5) {
      TinyT5Shape shape;
      shape.gated = false;
      shape.tied = true;
      write_tiny_t5(base(), shape);
    } else {
      TinyModel shape;
      shape.numbers = GetParam().prompt;
      write_tiny_model(base(), shape);
    }
  }

  fs::path base() const { return scratch_.path() / "base"; }

  std::unique_ptr<TinyTraining> make(const TinyRun& run) const {
    return std::make_unique<TinyTraining>(scratch_.path(), run);
  }

  static TinyRun run() {
    TinyRun made = tiny_run();
    made.steered_set = GetParam().set;
    if (GetParam().prompt) {
      made.change_conditioning = [](ConditioningOptions& options) {
        options.prompt.emplace();
      };
    }
    made.training.baseline = Baseline::kValue;
    made.training.advantage_normalisation = AdvantageNormalisation::kNone;
    made.training.kl_strength = 0.2;
    made.training.value.learning_rate = 0.01;
    return made;
  }

  Scratch scratch_;
};

// What a fresh network says of each sample's prompt, [B][outputs].
std::vector<std::vector<double>> fresh_values(
    const fs::path& base,
    const TinyTraining& tiny,
    const std::vector<TrainingSample>& samples,
    std::int64_t outputs) {
  const at::NoGradGuard no_gradient;
  const HeadedModel model =
      make_value_model(load_language_model(base).model, outputs);
  const bool conditioned =
      tiny.trainer->options().value.prompt == ValuePrompt::kConditioned;
  std::vector<std::vector<double>> result;
  for (const TrainingSample& sample : samples) {
    const auto place =
        static_cast<std::size_t>(sample.example - tiny.examples.data());
    TokenIds prompt = tiny.trainer->prompts().ids()[place];
    if (conditioned) {
      prompt = tiny.policy->conditioned_prompt(
          tiny.trainer->prompts().prompt(place), sample.steering);
    }
    const at::Tensor row = model.forward({prompt})[0].to(at::kDouble);
    std::vector<double> values;
    for (std::int64_t i = 0; i < outputs; ++i)
      values.push_back(row[i].item<double>());
    result.push_back(std::move(values));
  }
  return result;
}

// Ambiguity 18: A = (1 - alpha)(w.R - w.V) - alpha log ratio, or the literal
// A = r - w.V, or r less a value of r itself. V from before the step's update.
TEST_P(ValueTraining, FirstAdvantagesAreTheTextbooksForAFreshNetwork) {
  for (const ValueTarget target :
       {ValueTarget::kObjectives, ValueTarget::kReward}) {
    for (const ValueScale scale : {ValueScale::kReward, ValueScale::kLiteral}) {
      TinyRun options = run();
      options.training.value.target = target;
      options.training.value.scale = scale;
      if (GetParam().prompt)
        options.training.value.prompt = ValuePrompt::kConditioned;
      const auto tiny = make(options);
      const StepResult result = tiny->trainer->step();
      const bool each = target == ValueTarget::kObjectives;
      const auto values =
          fresh_values(base(), *tiny, result.samples, each ? 2 : 1);
      double loss = 0.0;
      for (std::size_t r = 0; r < values.size(); ++r) {
        const TrainingSample& sample = result.samples[r];
        double baseline = values[r][0];
        if (each) {
          const double share =
              scale == ValueScale::kReward ? 1 - sample.steering.alpha : 1.0;
          baseline = share * (sample.steering.w[0] * values[r][0] +
                              sample.steering.w[1] * values[r][1]);
        }
        EXPECT_NEAR(sample.advantage, sample.reward - baseline, 2e-5);
        for (std::size_t i = 0; i < values[r].size(); ++i) {
          const double wanted = each ? sample.rewards[i] : sample.reward;
          loss += std::pow(values[r][i] - wanted, 2);
        }
      }
      loss /= static_cast<double>(values.size() * values[0].size());
      EXPECT_NEAR(result.metrics.at("value/loss"), loss, 1e-4 * loss);
      EXPECT_GT(result.metrics.at("value/grad_norm"), 0.0);
      EXPECT_TRUE(result.metrics.contains("value/explained_variance"));
      EXPECT_TRUE(result.metrics.contains("time/value"));
      EXPECT_EQ(result.metrics.contains("value/a/mean"), each);
      EXPECT_EQ(result.metrics.contains("value/reward/mean"), !each);
    }
  }
}

TEST_P(ValueTraining, TheLossFallsAndValuesExplainRewards) {
  TinyRun options = run();
  options.training.value.warmup_steps = 1000;
  const auto tiny = make(options);
  const double first = tiny->trainer->step().metrics.at("value/loss");
  double last = 0.0;
  for (int step = 0; step < 60; ++step)
    last = tiny->trainer->step().metrics.at("value/loss");
  EXPECT_LT(last, 0.5 * first);
}

TEST_P(ValueTraining, GradientAccumulationGivesTheSameUpdate) {
  std::map<std::string, at::Tensor> first;
  double norm = 0.0;
  for (const std::int64_t parts : {1, 3}) {
    TinyRun options = run();
    options.training.gradient_accumulation = parts;
    const auto tiny = make(options);
    const double found = tiny->trainer->step().metrics.at("value/grad_norm");
    const auto masters = tiny->trainer->value()->masters();
    if (first.empty()) {
      first = masters;
      norm = found;
      continue;
    }
    EXPECT_NEAR(found, norm, 1e-5 * norm);
    // An unfactored first step of adafactor is a sign: compare the head alone,
    // whose gradient is never near 0.
    const at::Tensor head = masters.at("value_head.weight");
    EXPECT_LT(
        (head - first.at("value_head.weight")).abs().max().item<double>(),
        1e-5);
  }
}

// The value network alone learns for so long; then both do.
TEST_P(ValueTraining, WarmupLeavesThePolicyAlone) {
  TinyRun options = run();
  options.training.value.warmup_steps = 2;
  const auto tiny = make(options);
  const auto policy = masters_of(*tiny->policy);
  auto value = tiny->trainer->value()->masters();
  for (auto& [name, tensor] : value)
    tensor = tensor.clone();
  const auto policy_moved = [&] {
    bool moved = false;
    for (const auto& [name, tensor] : masters_of(*tiny->policy))
      moved |= !at::equal(tensor, policy.at(name));
    return moved;
  };
  for (int step = 0; step < 2; ++step) {
    const StepResult result = tiny->trainer->step();
    EXPECT_EQ(result.metrics.at("learning_rate"), 0.0);
    EXPECT_FALSE(policy_moved());
  }
  EXPECT_FALSE(at::equal(
      tiny->trainer->value()->masters().at("value_head.weight"),
      value.at("value_head.weight")));
  EXPECT_EQ(tiny->trainer->step().metrics.at("learning_rate"), 0.02);
  EXPECT_TRUE(policy_moved());
}

std::string file_of(const fs::path& run, const char* name) {
  return read_all(run / "checkpoints/step-4" / name);
}

// A run killed after step 2 and one left alone end with the same bits.
TEST_P(ValueTraining, StoppedAndResumedEqualsUndisturbed) {
  TinyRun options = run();
  options.training.checkpoint.every = 2;
  const auto go = [&](const fs::path& directory, std::int64_t stop_after) {
    const auto tiny = make(options);
    RunSetup setup = setup_of(directory);
    setup.stop_requested = [&] {
      return tiny->trainer->finished_steps() >= stop_after;
    };
    std::optional<Checkpoint> resume;
    const auto found = list_checkpoints(directory);
    if (!found.empty()) resume = read_checkpoint(found.back());
    return run_tiny(setup, *tiny, resume);
  };
  const fs::path straight = scratch_.path() / "straight";
  const fs::path broken = scratch_.path() / "broken";
  ASSERT_TRUE(go(straight, 100).finished);
  ASSERT_FALSE(go(broken, 2).finished);
  ASSERT_TRUE(go(broken, 100).finished);
  for (const char* name :
       {"steering.safetensors",
        "optimizer.safetensors",
        "value.safetensors",
        "value_optimizer.safetensors"}) {
    EXPECT_FALSE(file_of(straight, name).empty()) << name;
    EXPECT_EQ(file_of(straight, name), file_of(broken, name)) << name;
  }
  EXPECT_EQ(read_all(straight / kSamplesFile), read_all(broken / kSamplesFile));
  // A policy has no use for it.
  EXPECT_FALSE(fs::exists(straight / "policy/value.safetensors"));
}

TEST_P(ValueTraining, ACheckpointWithoutItsValueNetworkIsRefused) {
  const auto tiny = make(run());
  tiny->trainer->step();
  TrainerState state = tiny->trainer->state();
  state.value.clear();
  EXPECT_THROW(tiny->trainer->restore(state), CallerError);
  state = tiny->trainer->state();
  state.value_optimizer.clear();
  EXPECT_THROW(tiny->trainer->restore(state), CallerError);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    ValueTraining,
    testing::Values(
        ValueKind{"llama_lora", SteeredSet::kLora, false, false},
        ValueKind{"llama_full", SteeredSet::kFull, false, false},
        ValueKind{"llama_prompt", SteeredSet::kNone, true, false},
        ValueKind{"t5_full", SteeredSet::kFull, false, true},
        ValueKind{"t5_prompt", SteeredSet::kNone, true, true}),
    [](const auto& kind) { return std::string(kind.param.name); });

// Two targets per prompt, above and below a mean: the minimum of the loss is
// the mean of each prompt, and what is left is the variance within prompts.
TEST(ValueRegression, ConvergesToEveryPromptsMean) {
  const Scratch scratch;
  write_tiny_model(scratch.path() / "base");
  const std::vector<TokenIds> prompts = {
      {1, 2, 3}, {4, 5}, {6, 7, 8, 9}, {10, 3}, {11}, {12, 1, 1}};
  std::vector<double> means;
  std::vector<double> targets;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    means.insert(means.end(), {0.1 + 0.14 * static_cast<double>(p), 0.5});
    for (const double spread : {-0.2, 0.2}) {
      targets.push_back(means[2 * p] + spread);
      targets.push_back(means[2 * p + 1] - 0.5 * spread);
    }
  }
  ValueBatch batch;
  batch.prompts = prompts;
  batch.targets = at::tensor(targets, at::kDouble).view({-1, 2});
  batch.samples_per_prompt = 2;
  const at::Tensor wanted = at::tensor(means, at::kDouble).view({-1, 2});
  std::map<std::string, at::Tensor> masters;
  std::map<std::string, at::Tensor> state;
  at::Tensor values;
  for (const double rate : {0.02, 0.004, 0.0005, 0.0001}) {
    ValueOptions options;
    options.learning_rate = rate;
    ValueLearner learner(
        load_language_model(scratch.path() / "base").model, 2, options);
    if (!masters.empty()) learner.restore(masters, state);
    for (int step = 0; step < 150; ++step) {
      values = learner.learn(batch);
      learner.update();
    }
    masters = learner.masters();
    state = learner.optimizer_state();
  }
  EXPECT_LT((values - wanted).abs().max().item<double>(), 2e-3);
  const at::Tensor by_row = values.repeat_interleave(2, 0);
  EXPECT_NEAR(
      (by_row - batch.targets).square().mean().item<double>(),
      (0.04 + 0.01) / 2,
      1e-5);
}

// Row 60: five outputs, two rewards, w uniform on the simplex, y from the
// optimal policy of each w at alpha .1. The values are the enumerated means.
TEST(ValueRegression, ConvergesToTheBanditsMeanRewards) {
  const auto bandit =
      nlohmann::json::parse(
          read_all(
              fs::path(MOFT_SOURCE_DIR) / "tests/reference/exact/bandits.json"))
          .at("seed11");
  const auto reference = bandit.at("ref").get<std::vector<double>>();
  const auto rewards = bandit.at("R").get<std::vector<std::vector<double>>>();
  ASSERT_EQ(rewards.size(), 2U);
  const Scratch scratch;
  write_tiny_model(scratch.path() / "base");
  ValueOptions options;
  options.learning_rate = 0.002;
  ValueLearner learner(
      load_language_model(scratch.path() / "base").model, 2, options);
  ValueBatch batch;
  batch.prompts = {{1, 2, 3}};
  batch.samples_per_prompt = 32;
  std::vector<double> mean(2, 0.0);
  constexpr int kSteps = 800;
  constexpr int kCounted = 400;
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    RandomStream stream(3, Purpose::kTest, step, 0);
    const double w = stream.uniform();  // Dirichlet(1, 1)
    std::vector<double> pi;
    double sum = 0.0;
    for (std::size_t y = 0; y < reference.size(); ++y) {
      const double r = w * rewards[0][y] + (1 - w) * rewards[1][y];
      pi.push_back(reference[y] * std::exp(0.9 * r / 0.1));
      sum += pi.back();
    }
    std::vector<double> targets;
    for (int sample = 0; sample < 32; ++sample) {
      double left = stream.uniform() * sum;
      std::size_t y = 0;
      while (y + 1 < pi.size() && left >= pi[y])
        left -= pi[y++];
      targets.insert(targets.end(), {rewards[0][y], rewards[1][y]});
    }
    batch.targets = at::tensor(targets, at::kDouble).view({32, 2});
    const at::Tensor values = learner.learn(batch);
    learner.update();
    if (step < kSteps - kCounted) continue;
    for (std::int64_t i = 0; i < 2; ++i)
      mean[static_cast<std::size_t>(i)] +=
          values[0][i].item<double>() / kCounted;
  }
  EXPECT_NEAR(mean[0], .94550106, .01);
  EXPECT_NEAR(mean[1], .79811583, .01);
}

// In the loop: one-token answers, so that each prompt's expected rewards are
// sums over the vocabulary; the policy stays fixed.
TEST(ValueRegression, TheLoopReachesEachPromptsExactExpectedReward) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.patterns = {{"a", "[a-i]"}, {"b", "[f-s]"}};
  run.training.max_new_tokens = 1;
  run.training.prompts_per_step = 8;
  run.training.samples_per_prompt = 32;
  run.training.baseline = Baseline::kValue;
  run.training.value.warmup_steps = 1000000;
  std::optional<TrainerState> state;
  std::unique_ptr<TinyTraining> tiny;
  for (const double rate : {0.02, 0.003, 0.0005}) {
    run.training.value.learning_rate = rate;
    tiny = std::make_unique<TinyTraining>(scratch.path(), run);
    if (state) tiny->trainer->restore(*state);
    for (int step = 0; step < 60; ++step)
      tiny->trainer->step();
    state = tiny->trainer->state();
  }
  const at::NoGradGuard no_gradient;
  LanguageModel& model = tiny->policy->model();
  const auto letters = tiny_vocabulary();
  const auto letter_in = [&](std::int64_t id, char first, char last) {
    const std::string& text = letters[static_cast<std::size_t>(id)];
    return text.size() == 1 && text[0] >= first && text[0] <= last;
  };
  const at::Tensor found =
      tiny->trainer->value()->predict(tiny->trainer->prompts().ids());
  for (std::size_t p = 0; p < tiny->examples.size(); ++p) {
    ScoreBatch batch;
    batch.prompts = {tiny->trainer->prompts().ids()[p]};
    batch.completions = {{0}};
    batch.prompt_of_row = {0};
    const at::Tensor pi = at::softmax(
        model.completion_logits(
            batch, RowSteering::uniform(Coefficients::frozen_reference()))[0],
        0);
    double wanted[2] = {0.0, 0.0};
    for (std::int64_t id = 0; id < pi.numel(); ++id) {
      const double probability = pi[id].item<double>();
      if (letter_in(id, 'a', 'i')) wanted[0] += probability;
      if (letter_in(id, 'f', 's')) wanted[1] += probability;
    }
    for (std::int64_t i = 0; i < 2; ++i) {
      const double value =
          found[static_cast<std::int64_t>(p)][i].item<double>();
      EXPECT_NEAR(value, wanted[i], 0.03) << p << " " << i;
    }
  }
}

std::string refused(const TrainerInputs& inputs, TrainingOptions options) {
  options.baseline = Baseline::kValue;
  try {
    OnlineTrainer trainer(
        inputs,
        options,
        make_weighting_sampler(WeightingOptions{}, {"a", "b"}, "weightings"));
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

TEST(ValueNetwork, WhatDoesNotFitThePolicyIsRefused) {
  const Scratch scratch;
  const TinyRun run = tiny_run();
  TinyTraining tiny(scratch.path(), run);
  TrainerInputs inputs;
  inputs.policy = tiny.policy.get();
  inputs.objectives = tiny.objectives.get();
  inputs.examples = &tiny.examples;
  EXPECT_NE(refused(inputs, run.training).find("no model"), std::string::npos);

  TinyModel other;
  other.numbers = true;
  write_tiny_model(scratch.path() / "other", other);
  inputs.value_model = load_language_model(scratch.path() / "other").model;
  EXPECT_NE(
      refused(inputs, run.training).find("vocabulary of 41"),
      std::string::npos);

  inputs.value_model = load_language_model(tiny.base).model;
  TrainingOptions options = run.training;
  options.value.prompt = ValuePrompt::kConditioned;
  EXPECT_NE(
      refused(inputs, options).find("conditioning.prompt"), std::string::npos);
  EXPECT_EQ(refused(inputs, run.training), "");
}

}  // namespace
}  // namespace moft::test
