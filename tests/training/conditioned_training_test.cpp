// The training loop with every steered set, with drawn KL strengths and with
// prompts that name the weighting.
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

struct Kind {
  const char* name;
  SteeredSet set;
  bool freeze_shared;
  bool prompt;
  bool t5;
};

class ConditionedTraining : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<TinyTraining> make(
      TinyRun run, const char* folder = "model") const {
    const auto place = scratch_.path() / folder;
    std::filesystem::create_directories(place);
    if (GetParam().t5) {
      TinyT5Shape shape;
      shape.gated = false;
      shape.tied = true;
      write_tiny_t5(place / "base", shape);
    } else {
      TinyModel shape;
      shape.numbers = GetParam().prompt;
      write_tiny_model(place / "base", shape);
    }
    const Kind kind = GetParam();
    run.steered_set = kind.set;
    run.change_conditioning = [kind](ConditioningOptions& options) {
      options.freeze_shared = kind.freeze_shared;
      if (kind.set == SteeredSet::kPattern) {
        options.pattern = "down_proj|wo\\.weight|norm";
      }
      if (kind.prompt) options.prompt.emplace();
    };
    return std::make_unique<TinyTraining>(place, run);
  }

  static bool trains_shared() {
    return !GetParam().freeze_shared && GetParam().set != SteeredSet::kFull &&
           GetParam().set != SteeredSet::kLora;
  }

  Scratch scratch_;
};

// One weighting per batch is one backward pass, one per prompt is several.
TEST_P(ConditionedTraining, KlIsExactlyZeroInTheFirstStepAndNotLater) {
  for (const WeightingPer per : {WeightingPer::kBatch, WeightingPer::kPrompt}) {
    TinyRun run = tiny_run();
    run.training.weighting_per = per;
    const auto tiny = make(run);
    const double first = tiny->trainer->step().metrics.at("kl");
    EXPECT_EQ(first != 0.0, GetParam().prompt);
    tiny->trainer->step();
    EXPECT_NE(tiny->trainer->step().metrics.at("kl"), 0.0);
  }
}

TEST_P(ConditionedTraining, SampledAndScoredLogProbabilitiesAgree) {
  const auto tiny = make(tiny_run());
  for (int i = 0; i < 3; ++i)
    EXPECT_LT(tiny->trainer->step().metrics.at("rollout_gap"), 2e-5);
}

TEST_P(ConditionedTraining, GradientAccumulationGivesTheSameUpdate) {
  std::map<std::string, at::Tensor> first;
  double norm = 0.0;
  for (const std::int64_t parts : {1, 3}) {
    TinyRun options = tiny_run();
    options.training.gradient_accumulation = parts;
    options.training.gradient_clip.reset();
    options.training.optimizer.epsilon = 1e-3;
    const auto tiny = make(options);
    const double found = tiny->trainer->step().metrics.at("grad_norm");
    const auto masters = masters_of(*tiny->policy);
    if (first.empty()) {
      first = masters;
      norm = found;
      EXPECT_GT(norm, 0.0);
      continue;
    }
    EXPECT_NEAR(found, norm, 1e-5 * norm);
    for (const auto& [name, tensor] : masters) {
      const at::Tensor difference = tensor - first.at(name);
      EXPECT_LT(difference.abs().max().item<double>(), 2e-3 * 0.02) << name;
    }
  }
}

// A weighting on one objective trains its copy and what is shared.
TEST_P(ConditionedTraining, CopiesWithoutWeightStayAndSharedParametersMove) {
  TinyRun run = tiny_run();
  run.weightings.sampler = WeightingDistribution::kFixed;
  run.weightings.weights = {{"a", 1.0}, {"b", 0.0}};
  const auto tiny = make(run);
  const auto before = masters_of(*tiny->policy);
  for (int step = 0; step < 2; ++step)
    tiny->trainer->step();
  std::map<std::string, double> moved;
  for (const auto& [name, tensor] : masters_of(*tiny->policy)) {
    double& most = moved[name.substr(0, name.find('/'))];
    const at::Tensor distance = (tensor - before.at(name)).abs();
    most = std::max(most, distance.max().item<double>());
  }
  EXPECT_EQ(moved["b"], 0.0);
  EXPECT_EQ(moved["a"] > 0.001, GetParam().set != SteeredSet::kNone);
  EXPECT_EQ(moved["shared"] > 0.001, trains_shared());
}

TEST_P(ConditionedTraining, ARestoredTrainerTakesTheSameSteps) {
  const TinyRun run = tiny_run();
  const auto straight = make(run);
  straight->trainer->step();
  TrainerState state = straight->trainer->state();
  for (auto* tensors : {&state.masters, &state.optimizer}) {
    for (auto& [name, tensor] : *tensors)
      tensor = tensor.clone();
  }
  const StepResult next = straight->trainer->step();
  const auto restored = make(run);
  restored->trainer->restore(state);
  const StepResult again = restored->trainer->step();
  EXPECT_EQ(again.metrics.at("reward"), next.metrics.at("reward"));
  EXPECT_EQ(again.metrics.at("kl"), next.metrics.at("kl"));
  const auto wanted = masters_of(*straight->policy);
  for (const auto& [name, tensor] : masters_of(*restored->policy))
    EXPECT_TRUE(at::equal(tensor, wanted.at(name))) << name;
}

// r = (1 - alpha) w.R - alpha log ratio with the alpha that was drawn.
TEST_P(ConditionedTraining, EveryPromptsKlStrengthIsDrawnAndUsed) {
  TinyRun run = tiny_run();
  run.training.kl_sampler = AlphaDistribution::kInverse;
  run.training.kl_strength = 0.1;
  const auto tiny = make(run);
  std::set<double> drawn;
  for (int step = 0; step < 2; ++step) {
    for (const TrainingSample& sample : tiny->trainer->step().samples) {
      const double alpha = sample.steering.alpha;
      double scalar = 0.0;
      for (std::size_t i = 0; i < 2; ++i)
        scalar += sample.steering.w[i] * sample.rewards[i];
      EXPECT_NEAR(
          sample.reward, (1 - alpha) * scalar - alpha * sample.kl, 1e-12);
      EXPECT_GE(alpha, 0.1);
      EXPECT_LE(alpha, 1.0);
      drawn.insert(alpha);
    }
  }
  EXPECT_EQ(drawn.size(), 12U);  // 2 steps of 6 prompts
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    ConditionedTraining,
    testing::Values(
        Kind{"full", SteeredSet::kFull, false, false, false},
        Kind{"attention", SteeredSet::kAttention, false, false, false},
        Kind{"attention_frozen", SteeredSet::kAttention, true, false, false},
        Kind{"logits", SteeredSet::kLogits, false, false, false},
        Kind{"logits_frozen", SteeredSet::kLogits, true, false, false},
        Kind{"pattern", SteeredSet::kPattern, false, false, false},
        Kind{"none_prompt", SteeredSet::kNone, false, true, false},
        Kind{"full_prompt", SteeredSet::kFull, false, true, false},
        Kind{"attention_prompt", SteeredSet::kAttention, false, true, false},
        Kind{"logits_prompt", SteeredSet::kLogits, false, true, false},
        Kind{"lora_prompt", SteeredSet::kLora, false, true, false},
        Kind{"t5_full", SteeredSet::kFull, false, false, true},
        Kind{"t5_attention", SteeredSet::kAttention, false, false, true},
        Kind{"t5_logits", SteeredSet::kLogits, false, false, true},
        Kind{"t5_logits_frozen", SteeredSet::kLogits, true, false, true},
        Kind{"t5_none_prompt", SteeredSet::kNone, false, true, true}),
    [](const auto& kind) { return std::string(kind.param.name); });

// With a common adapter a corner trains every copy, without one only its own.
TEST(CommonAdapter, EveryCopyLearnsUnderACorner) {
  for (const bool common : {false, true}) {
    const Scratch scratch;
    TinyModel shape;
    shape.numbers = true;
    write_tiny_model(scratch.path() / "base", shape);
    TinyRun run = tiny_run();
    run.steered_set = SteeredSet::kLora;
    run.weightings.sampler = WeightingDistribution::kFixed;
    run.weightings.weights = {{"a", 1.0}, {"b", 0.0}};
    run.change_conditioning = [common](ConditioningOptions& options) {
      options.prompt.emplace().common_adapter = common;
    };
    TinyTraining tiny(scratch.path(), run);
    std::map<std::string, at::Tensor> before;
    for (const auto& [name, tensor] : masters_of(*tiny.policy))
      before[name] = tensor.clone();
    tiny.trainer->step();
    std::map<std::string, bool> moved;  // by the copy's name
    for (const auto& [name, tensor] : masters_of(*tiny.policy)) {
      moved[name.substr(0, name.find('/'))] |=
          !at::equal(tensor, before.at(name));
    }
    EXPECT_EQ(moved, (std::map<std::string, bool>{{"a", true}, {"b", common}}));
  }
}

// The same draws of w whether alpha is drawn or not, and the other way round.
TEST(KlSampling, WeightsAndStrengthAreDrawnIndependently) {
  const Scratch scratch;
  const auto steerings = [&](AlphaDistribution kl, bool fixed_weights) {
    TinyRun run = tiny_run();
    run.training.kl_sampler = kl;
    if (fixed_weights) {
      run.weightings.sampler = WeightingDistribution::kFixed;
      run.weightings.weights = {{"a", 0.5}, {"b", 0.5}};
    }
    TinyTraining tiny(scratch.path(), run);
    std::vector<Steering> result;
    for (const TrainingSample& sample : tiny.trainer->step().samples)
      result.push_back(sample.steering);
    return result;
  };
  const auto together = steerings(AlphaDistribution::kUniform, false);
  const auto weights_only = steerings(AlphaDistribution::kFixed, false);
  const auto alpha_only = steerings(AlphaDistribution::kUniform, true);
  for (std::size_t r = 0; r < together.size(); ++r) {
    EXPECT_EQ(together[r].w, weights_only[r].w);
    EXPECT_EQ(together[r].alpha, alpha_only[r].alpha);
    EXPECT_EQ(weights_only[r].alpha, 0.01);
    EXPECT_EQ(alpha_only[r].w[0], 0.5);
  }
}

TEST(KlSampling, OnePerBatchWhenWeightingsAre) {
  const Scratch scratch;
  TinyRun run = tiny_run();
  run.training.kl_sampler = AlphaDistribution::kInverse;
  run.training.weighting_per = WeightingPer::kBatch;
  TinyTraining tiny(scratch.path(), run);
  std::set<Steering> seen;
  for (int step = 0; step < 3; ++step) {
    for (const TrainingSample& sample : tiny.trainer->step().samples)
      seen.insert(sample.steering);
  }
  EXPECT_EQ(seen.size(), 3U);
}

// Rows 50 and 51: what the trainer's own steps draw has the moments of the
// inverse distribution, alpha_min 0.01.
TEST(KlSampling, TheDrawsOfTrainingHaveTheStatedMoments) {
  const AlphaSampler sampler(AlphaDistribution::kInverse, KlRange(0.01));
  double sum = 0.0;
  double squares = 0.0;
  std::vector<double> mixed_in;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    RandomStream stream(
        3, Purpose::kKlStrength, static_cast<std::uint32_t>(i), 0);
    const double alpha = sampler.draw(stream);
    sum += alpha;
    squares += alpha * alpha;
    mixed_in.push_back(KlRange(0.01).mixing_amount(alpha));
  }
  const double mean = sum / kDraws;
  const double error = std::sqrt(0.007836180752789145 / kDraws);
  EXPECT_NEAR(mean, 0.046516870565536286, 5 * error);
  EXPECT_NEAR(squares / kDraws, 0.01, 5e-4);  // E alpha^2 = alpha_min
  std::vector<int> bins(20, 0);
  for (const double beta : mixed_in)
    ++bins[static_cast<std::size_t>(std::min(19.0, beta * 20))];
  for (const int count : bins)
    EXPECT_NEAR(static_cast<double>(count) / kDraws, 0.05, 0.003);
}

// The weighting's words count, so that nothing has to be cut.
TEST(PromptConditioning, PromptsTooLongWithTheWordsAreRefused) {
  const Scratch scratch;
  TinyModel shape;
  shape.numbers = true;
  write_tiny_model(scratch.path() / "base", shape);
  TinyRun run = tiny_run();
  run.steered_set = SteeredSet::kNone;
  run.change_conditioning = [](ConditioningOptions& options) {
    options.prompt.emplace();
    options.prompt->repetitions = 1;
  };
  TinyTraining tiny(scratch.path(), run);
  TrainerInputs inputs;
  inputs.policy = tiny.policy.get();
  inputs.objectives = tiny.objectives.get();
  inputs.examples = &tiny.examples;
  const auto words = tiny.policy->count_word_tokens(Weighting({0.77, 0.23}));
  ASSERT_GT(words, 0);
  const auto refused = [&](std::int64_t limit) {
    inputs.max_prompt_tokens = limit;
    try {
      OnlineTrainer trainer(
          inputs,
          run.training,
          make_weighting_sampler(WeightingOptions{}, {"a", "b"}, "weightings"));
    } catch (const CallerError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  // "three is " has 9 tokens.
  EXPECT_EQ(refused(words + 9), "");
  EXPECT_NE(refused(words + 8).find("weighting's words"), std::string::npos);
}

}  // namespace
}  // namespace moft::test
