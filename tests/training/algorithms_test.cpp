// GRPO and PPO in the production loop: training.algorithm.
#include <algorithm>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/minibatches.h"
#include "moft/training/token_values.h"

#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

struct AlgorithmKind {
  const char* name;
  Algorithm algorithm;
  SteeredSet set;
  bool t5;
};

using Gradients = std::vector<at::Tensor>;

Gradients gradients_of(const SteeredPolicy& policy) {
  Gradients result;
  for (const ScaledGradient& gradient : policy.conditioning()->gradients()) {
    if (gradient.tensor.defined())
      result.push_back(gradient.tensor * gradient.coefficient);
  }
  return result;
}

double largest(const Gradients& gradients) {
  double value = 0.0;
  for (const at::Tensor& tensor : gradients)
    value = std::max(value, tensor.abs().max().item<double>());
  return value;
}

double distance(const Gradients& left, const Gradients& right) {
  EXPECT_EQ(left.size(), right.size());
  Gradients difference;
  for (std::size_t i = 0; i < left.size(); ++i)
    difference.push_back(left[i] - right[i]);
  return largest(difference);
}

class Algorithms : public testing::TestWithParam<AlgorithmKind> {
 protected:
  Algorithms() {
    if (GetParam().t5) write_tiny_t5(scratch_.path() / "base", TinyT5Shape());
  }

  static TinyRun run() {
    TinyRun made = tiny_run();
    made.steered_set = GetParam().set;
    made.training.algorithm = GetParam().algorithm;
    made.training.kl_strength = 0.1;
    made.training.grpo.num_iterations = 2;
    made.training.grpo.steps_per_generation = 3;
    made.training.ppo.num_ppo_epochs = 2;
    made.training.ppo.num_mini_batches = 3;
    made.training.value.learning_rate = 0.01;
    return made;
  }

  std::unique_ptr<TinyTraining> make(const TinyRun& run) const {
    return std::make_unique<TinyTraining>(scratch_.path(), run);
  }

  // An experience of the trainer's policy, PPO's advantages included.
  Experience experience(TinyTraining& tiny, const TrainingOptions& options) {
    Experience result =
        experience_of(tiny, options, {0, 3, 1, 6, 2, 5}, /*step=*/7);
    if (options.algorithm != Algorithm::kPpo) return result;
    const StepPlan plan = plan_step(*tiny.policy, result.draw, options);
    const at::Tensor values = predict_token_values(
        *tiny.trainer->value(),
        value_parts(
            result.draw,
            result.rollout,
            all_prompts(result.draw),
            plan,
            options.value.prompt));
    add_token_advantages(result, values, options);
    return result;
  }

  Gradients gradient(
      TinyTraining& tiny,
      const Experience& e,
      const Minibatch& minibatch,
      const TrainingOptions& options) {
    differentiate(*tiny.policy, e, minibatch, options, times_);
    return gradients_of(*tiny.policy);
  }

  Scratch scratch_;
  StepTimes times_;
};

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    Algorithms,
    testing::Values(
        AlgorithmKind{"Grpo", Algorithm::kGrpo, SteeredSet::kLora, false},
        AlgorithmKind{"GrpoFull", Algorithm::kGrpo, SteeredSet::kFull, false},
        AlgorithmKind{"GrpoT5", Algorithm::kGrpo, SteeredSet::kLora, true},
        AlgorithmKind{"Ppo", Algorithm::kPpo, SteeredSet::kLora, false},
        AlgorithmKind{"PpoFull", Algorithm::kPpo, SteeredSet::kFull, false},
        AlgorithmKind{"PpoT5", Algorithm::kPpo, SteeredSet::kLora, true}),
    [](const auto& kind) { return std::string(kind.param.name); });

// Row 24: at ratio 1 the gradient is REINFORCE's with the same advantages.
TEST_P(Algorithms, TheFirstEpochsGradientIsReinforcesWithTheSameAdvantages) {
  TinyRun moved = run();
  moved.training.grpo.steps_per_generation = 1;
  moved.training.ppo.num_mini_batches = 1;
  const auto tiny = make(moved);
  tiny->trainer->step();
  const TrainingOptions& options = moved.training;
  const Experience e = experience(*tiny, options);
  Minibatch batch = minibatches_of(e, options, 0).at(0);
  TrainingOptions reinforce = options;
  reinforce.algorithm = Algorithm::kReinforce;
  const Gradients wanted = gradient(*tiny, e, batch, reinforce);
  EXPECT_GT(largest(wanted), 1e-5);
  EXPECT_EQ(distance(gradient(*tiny, e, batch, options), wanted), 0.0);
  // Ratios of log-probabilities that were scored twice.
  batch.on_policy = false;
  EXPECT_LT(
      distance(gradient(*tiny, e, batch, options), wanted),
      1e-5 * largest(wanted));
}

TEST_P(Algorithms, ARestoredTrainerTakesTheSameSteps) {
  const TinyRun given = run();
  const auto straight = make(given);
  for (int step = 0; step < 2; ++step)
    straight->trainer->step();
  TrainerState state = straight->trainer->state();
  for (auto* tensors :
       {&state.masters,
        &state.optimizer,
        &state.value,
        &state.value_optimizer}) {
    for (auto& [name, tensor] : *tensors)
      tensor = tensor.clone();
  }
  const StepResult third = straight->trainer->step();
  const auto restored = make(given);
  restored->trainer->restore(state);
  const StepResult again = restored->trainer->step();
  for (const char* metric :
       {"reward", "kl", "grad_norm", "approx_kl", "clip_ratio/region_mean"}) {
    EXPECT_EQ(again.metrics.at(metric), third.metrics.at(metric)) << metric;
  }
  for (const auto& [name, tensor] : masters_of(*restored->policy))
    EXPECT_TRUE(tensor.equal(masters_of(*straight->policy).at(name))) << name;
  for (const auto& [name, tensor] : restored->trainer->state().value)
    EXPECT_TRUE(tensor.equal(straight->trainer->state().value.at(name)));
}

// Every prompt once in a pass, in an order of its own.
TEST_P(Algorithms, MinibatchesDivideTheStep) {
  const TinyRun given = run();
  const auto tiny = make(given);
  const Experience e = experience(*tiny, given.training);
  std::vector<std::vector<std::size_t>> orders;
  for (const std::int64_t pass : {0, 1, 0}) {
    std::vector<std::size_t> seen, order;
    for (const Minibatch& batch : minibatches_of(e, given.training, pass)) {
      EXPECT_EQ(batch.prompts.size(), 2U);
      EXPECT_GE(batch.normaliser, 1.0);
      seen.insert(seen.end(), batch.prompts.begin(), batch.prompts.end());
    }
    order = seen;
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, all_prompts(e.draw));
    orders.push_back(order);
  }
  EXPECT_EQ(orders[0], orders[2]);
  EXPECT_NE(orders[0], orders[1]);
}

// The ratio moves away from 1 with the second update.
TEST_P(Algorithms, ReportsTheClip) {
  TinyRun given = run();
  given.training.grpo.num_iterations = 1;
  given.training.grpo.steps_per_generation = 1;
  given.training.ppo.num_ppo_epochs = 1;
  given.training.ppo.num_mini_batches = 1;
  const StepResult once = make(given)->trainer->step();
  EXPECT_EQ(once.metrics.at("ratio"), 1.0);
  EXPECT_EQ(once.metrics.at("approx_kl"), 0.0);
  EXPECT_EQ(once.metrics.at("clip_ratio/region_mean"), 0.0);
  given.training.grpo.num_iterations = 3;
  given.training.ppo.num_ppo_epochs = 3;
  given.training.grpo.epsilon = given.training.ppo.cliprange = 1e-4;
  const StepResult often = make(given)->trainer->step();
  EXPECT_GT(often.metrics.at("approx_kl"), 0.0);
  EXPECT_GT(often.metrics.at("clip_ratio/region_mean"), 0.0);
  EXPECT_NEAR(
      often.metrics.at("clip_ratio/low_mean") +
          often.metrics.at("clip_ratio/high_mean"),
      often.metrics.at("clip_ratio/region_mean"),
      1e-12);
  // The step's own numbers are those of the policy that sampled.
  EXPECT_EQ(often.metrics.at("reward"), once.metrics.at("reward"));
  EXPECT_EQ(often.metrics.at("kl"), once.metrics.at("kl"));
}

// To rounding, of every update, on policy and after it has moved.
TEST_P(Algorithms, GradientAccumulationGivesTheSameGradients) {
  const TinyRun given = run();
  const auto tiny = make(given);
  const Experience e = experience(*tiny, given.training);
  TrainingOptions parts = given.training;
  parts.gradient_accumulation = 3;
  for (const bool on_policy : {true, false}) {
    for (Minibatch& batch : minibatches_of(e, given.training, 1)) {
      batch.on_policy = on_policy;
      const Gradients whole = gradient(*tiny, e, batch, given.training);
      EXPECT_LT(
          distance(gradient(*tiny, e, batch, parts), whole),
          1e-5 * largest(whole));
    }
    tiny->trainer->step();
  }
}

// All of a step's updates. AdamW's first ones are signs, which rounding can
// turn where a gradient is near 0; with an epsilon above every gradient they
// are proportional to it.
TEST_P(Algorithms, GradientAccumulationGivesTheSameStep) {
  std::vector<double> norms;
  std::vector<Gradients> moved;
  for (const std::int64_t parts : {1, 3}) {
    TinyRun given = run();
    given.training.gradient_accumulation = parts;
    given.training.optimizer.epsilon = 1e3;
    given.training.optimizer.learning_rate = 100.0;
    const auto tiny = make(given);
    const auto before = masters_of(*tiny->policy);
    norms.push_back(tiny->trainer->step().metrics.at("grad_norm"));
    moved.emplace_back();
    for (const auto& [name, tensor] : masters_of(*tiny->policy))
      moved.back().push_back(tensor - before.at(name));
  }
  EXPECT_NEAR(norms[0], norms[1], 1e-5 * norms[0]);
  EXPECT_GT(largest(moved[0]), 1e-3);
  EXPECT_LT(distance(moved[0], moved[1]), 1e-4 * largest(moved[0]));
}

TEST(AlgorithmOptions, WhatDoesNotGoTogetherIsNamed) {
  TrainingOptions options;
  options.algorithm = Algorithm::kPpo;
  options.samples_per_prompt = 1;  // nothing is compared
  EXPECT_NO_THROW(options.check("training."));
  options.ppo.num_mini_batches = 7;
  EXPECT_THROW(options.check("training."), CallerError);
  options.ppo.num_mini_batches = 6;
  options.kl_estimator = KlEstimator::kTokenExact;
  EXPECT_THROW(options.check("training."), CallerError);
  options.kl_estimator = KlEstimator::kTokenK3;
  EXPECT_NO_THROW(options.check("training."));
  options.value.scale = ValueScale::kLiteral;
  EXPECT_THROW(options.check("training."), CallerError);
  options = {};
  options.algorithm = Algorithm::kGrpo;
  options.grpo.steps_per_generation = 7;
  EXPECT_THROW(options.check("training."), CallerError);
}

std::string refusal_of(const TrainingOptions& options) {
  try {
    options.check("training.");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

// Advantages of single objectives are weighted sums; preferences are too.
TEST(AlgorithmOptions, RewardsThatAreNotSummedAreRefusedInOneSentence) {
  const std::string of_ppo =
      " but training.algorithm is ppo with value.target: objectives, whose "
      "advantages are weighted sums; give value.target: reward";
  const std::string of_dpo =
      " but training.algorithm is online_dpo, whose preferences are of the "
      "weighted sum of the rewards; leave it out";
  TrainingOptions ppo;
  ppo.algorithm = Algorithm::kPpo;
  TrainingOptions dpo;
  dpo.algorithm = Algorithm::kOnlineDpo;
  EXPECT_EQ(refusal_of(ppo), "");
  EXPECT_EQ(refusal_of(dpo), "");
  for (const auto& [kind, name] : enum_names(ScalarisationKind{})) {
    if (kind == ScalarisationKind::kLinear) continue;
    const std::string found =
        "training.scalarisation.kind is " + std::string(name);
    ppo.scalarisation.kind = dpo.scalarisation.kind = kind;
    EXPECT_EQ(refusal_of(ppo), found + of_ppo);
    EXPECT_EQ(refusal_of(dpo), found + of_dpo);
    ppo.value.target = ValueTarget::kReward;
    EXPECT_EQ(refusal_of(ppo), "");
    ppo.value.target = ValueTarget::kObjectives;
  }
  ppo.scalarisation = dpo.scalarisation = {};
  ppo.reward_standardisation = dpo.reward_standardisation =
      RewardStandardisation::kRunning;
  const std::string running = "training.reward_standardisation is running";
  EXPECT_EQ(refusal_of(ppo), running + of_ppo);
  EXPECT_EQ(refusal_of(dpo), running + of_dpo);
  ppo.value.target = ValueTarget::kReward;
  EXPECT_EQ(refusal_of(ppo), "");
}

// Rewards that are compared within a prompt.
TEST(AlgorithmOptions, RewardsOfGroupsAreRefusedInOneSentence) {
  for (const Algorithm algorithm : {Algorithm::kPpo, Algorithm::kOnlineDpo}) {
    TrainingOptions options;
    options.algorithm = algorithm;
    options.value.target = ValueTarget::kReward;
    options.multi_objective_aggregation = RewardAggregation::kNormalizeThenSum;
    const std::string begin =
        "training.algorithm is " + std::string(enum_name(algorithm)) + " but ";
    const std::string end =
        ", whose rewards are compared within a prompt; give algorithm: grpo or "
        "reinforce";
    EXPECT_EQ(
        refusal_of(options),
        begin + "training.multi_objective_aggregation is normalize_then_sum" +
            end);
    if (algorithm == Algorithm::kOnlineDpo) continue;
    options.multi_objective_aggregation = {};
    options.scalarisation.kind = ScalarisationKind::kNash;
    options.scalarisation.criterion = ScalarisationCriterion::kSer;
    EXPECT_EQ(
        refusal_of(options),
        begin + "training.scalarisation.criterion is ser" + end);
  }
}

}  // namespace
}  // namespace moft::test
