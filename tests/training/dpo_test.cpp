// Preference optimisation from given pairs on a tiny policy, and what it
// promises.
#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/apply_update.h"
#include "moft/training/dpo/trainer.h"
#include "moft/training/minibatches.h"
#include "moft/training/online_step.h"
#include "moft/training/preference_advantages.h"

#include "tests/support/tensors.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

const std::vector<double> kHalf{0.5, 0.5};

// Pairs whose first answers win by `a` and lose by `b`.
std::vector<DpoPair> pairs_of(const SteeredPolicy& policy) {
  const Tokenizer& tokenizer = policy.tokenizer();
  const TokenId end = policy.base().model->info().end_tokens.front();
  const auto answer = [&](const char* text) {
    TokenIds ids = tokenizer.encode(text);
    ids.push_back(end);
    return ids;
  };
  const char* texts[][3] = {
      {"one is ", "alpha", "be"},
      {"two is ", "aa", "bubble"},
      {"three is ", "banana", "b"},
      {"four is ", "a", "bab"},
      {"five is ", "same", "tame"}};
  std::vector<DpoPair> pairs;
  for (const auto& [prompt, first, second] : texts) {
    DpoPair pair;
    pair.prompt.ids = tokenizer.encode(prompt);
    pair.answers = {answer(first), answer(second)};
    pair.scores = {std::vector<double>{1.0, 0.0}, {0.25, 0.5}};
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

DpoOptions dpo_options() {
  DpoOptions options;
  options.steps = 6;
  options.pairs_per_step = 3;
  options.kl_strength = 0.2;
  options.optimizer.learning_rate = 0.01;
  return options;
}

struct Preferring {
  explicit Preferring(
      const DpoOptions& options, SteeredSet set = SteeredSet::kLora)
      : tiny(scratch.path(), run_of(options, set)),
        pairs(pairs_of(*tiny.policy)),
        trainer(
            {tiny.policy.get(), &pairs, &pairs, true},
            options,
            make_weighting_sampler({}, {"a", "b"}, "weightings")) {}

  static TinyRun run_of(const DpoOptions& options, SteeredSet set) {
    TinyRun run = tiny_run();
    run.steered_set = set;
    run.training.kl_strength = options.kl_strength;
    return run;
  }

  std::map<std::string, at::Tensor> gradients() const {
    std::map<std::string, at::Tensor> result;
    const Conditioning& conditioning = *tiny.policy->conditioning();
    const std::vector<ScaledGradient> all = conditioning.gradients();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const TrainedTensor& trained = conditioning.trained()[i];
      at::Tensor part = all[i].tensor.clone() * all[i].coefficient;
      if (trained.transposed_in_files) part = part.t();
      auto& sum = result[trained.name];
      sum = sum.defined() ? sum + part : part;
    }
    return result;
  }
  std::vector<Steering> steerings(double a, double alpha = 0.2) const {
    return std::vector<Steering>(
        pairs.size(), Steering{Weighting({a, 1.0 - a}), alpha});
  }

  Scratch scratch;
  TinyTraining tiny;
  std::vector<DpoPair> pairs;
  DpoTrainer trainer;
};

const std::vector<std::size_t> kAll{0, 1, 2, 3, 4};

TEST(Dpo, BeginsAtLogTwoWithRewardsOfZero) {
  Preferring run(dpo_options());
  const auto metrics =
      run.trainer.differentiate(kAll, run.steerings(0.75)).metrics();
  EXPECT_NEAR(metrics.at("loss"), std::log(2.0), 1e-15);
  for (const char* name :
       {"rewards/chosen", "rewards/rejected", "rewards/margins"})
    EXPECT_EQ(metrics.at(name), 0.0) << name;
  EXPECT_EQ(metrics.at("preferences/ties"), 0.0);
}

// At the two corners the same pair teaches opposite things.
TEST(Dpo, ThePreferredAnswerDependsOnTheWeighting) {
  Preferring run(dpo_options());
  const auto at_a =
      run.trainer.differentiate({0}, {run.steerings(1.0)[0]}).metrics();
  const auto at_b =
      run.trainer.differentiate({0}, {run.steerings(0.0)[0]}).metrics();
  EXPECT_EQ(at_a.at("logps/chosen"), at_b.at("logps/rejected"));
  EXPECT_EQ(at_a.at("logps/rejected"), at_b.at("logps/chosen"));
}

// The loss along the gradient, from both sides.
TEST(Dpo, GradientIsThatOfFiniteDifferences) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    Preferring run(dpo_options(), set);
    run.trainer.step();
    run.trainer.step();
    std::vector<Steering> steerings = run.steerings(0.75);
    steerings[1].w = Weighting({0.0, 1.0});
    steerings[3].w = Weighting({0.25, 0.75});
    const auto loss = [&] {
      return run.trainer.differentiate(kAll, steerings).loss();
    };
    loss();
    const auto gradients = run.gradients();
    double square = 0.0;
    for (const auto& [name, gradient] : gradients)
      square += gradient.square().sum(at::kDouble).item<double>();
    const auto masters = masters_of(*run.tiny.policy);
    const double h = 1e-2 / std::sqrt(square);
    const auto loss_at = [&](double sign) {
      NamedTensors moved;
      for (const auto& [name, master] : masters) {
        const auto found = gradients.find(name);
        moved[name] = found == gradients.end()
                          ? master
                          : master + sign * h * found->second;
      }
      restore_masters(moved, *run.tiny.policy->conditioning());
      return loss();
    };
    const double difference = (loss_at(1.0) - loss_at(-1.0)) / (2 * h);
    EXPECT_NEAR(difference, square, 0.02 * square);
  }
}

TEST(Dpo, PartsGiveTheGradientOfOneBatch) {
  Preferring whole(dpo_options());
  whole.trainer.step();
  const auto masters = masters_of(*whole.tiny.policy);
  const double loss =
      whole.trainer.differentiate(kAll, whole.steerings(0.5)).loss();
  const auto expected = whole.gradients();
  DpoOptions options = dpo_options();
  options.gradient_accumulation = 3;
  Preferring parts(options);
  restore_masters(
      NamedTensors(masters.begin(), masters.end()),
      *parts.tiny.policy->conditioning());
  EXPECT_NEAR(
      parts.trainer.differentiate(kAll, parts.steerings(0.5)).loss(),
      loss,
      1e-7);
  for (const auto& [name, gradient] : parts.gradients())
    EXPECT_LT(distance(gradient, expected.at(name)), 1e-5) << name;
}

// A trainer that stopped after two steps resumes as if it had not.
TEST(Dpo, ResumesBitForBit) {
  Preferring straight(dpo_options());
  for (int step = 0; step < 6; ++step)
    straight.trainer.step();
  Preferring first(dpo_options());
  first.trainer.step();
  first.trainer.step();
  Preferring second(dpo_options());
  second.trainer.step();
  second.trainer.restore(first.trainer.state());
  for (int step = 2; step < 6; ++step)
    second.trainer.step();
  const auto expected = masters_of(*straight.tiny.policy);
  for (const auto& [name, master] : masters_of(*second.tiny.policy))
    EXPECT_TRUE(at::equal(master, expected.at(name))) << name;
}

TEST(Dpo, LearnsWhatIsPreferredUnderEveryWeighting) {
  DpoOptions options = dpo_options();
  options.target = PreferenceTarget::kBetter;
  options.pairs_per_step = 5;
  options.optimizer.learning_rate = 0.02;
  Preferring run(options);
  for (int step = 0; step < 40; ++step)
    run.trainer.step();
  for (const double a : {1.0, 0.0}) {
    const auto metrics =
        run.trainer.differentiate(kAll, run.steerings(a)).metrics();
    EXPECT_GT(metrics.at("rewards/accuracies"), 0.75) << a;
    EXPECT_LT(metrics.at("loss"), 0.6) << a;
  }
  EXPECT_GT(run.trainer.evaluate().at("held_out/rewards/accuracies"), 0.5);
}

TEST(Dpo, SkippedTiesLeaveTheGradientAlone) {
  DpoOptions options = dpo_options();
  options.ties = PreferenceTies::kSkip;
  Preferring run(options);
  for (DpoPair& pair : run.pairs)
    pair.scores = {kHalf, kHalf};
  const auto metrics =
      run.trainer.differentiate(kAll, run.steerings(0.5)).metrics();
  EXPECT_EQ(metrics.at("loss"), 0.0);
  EXPECT_EQ(metrics.at("preferences/ties"), 1.0);
  for (const auto& [name, gradient] : run.gradients())
    EXPECT_EQ(gradient.abs().max().item<double>(), 0.0) << name;
}

// "three is " before "banana" and "bab", which count as long as each other.
TEST(Dpo, RefusesABudgetThatHoldsOnePairOnlyInPart) {
  Preferring run(dpo_options());
  const ModelShape shape = shape_of(*run.tiny.policy->base().model);
  const ConditioningOptions& conditioning =
      run.tiny.policy->conditioning()->options();
  const StepCosts costs =
      step_costs(shape, conditioning, KlEstimator::kSequence);
  const std::int64_t pair = 9 * costs.prompt_token + 2 * 7 * costs.new_token;
  const auto refusal_at = [&](std::int64_t bytes) -> std::string {
    DpoOptions options = dpo_options();
    options.memory_budget = static_cast<double>(bytes) / 1e9;
    try {
      check_dpo_memory(shape, conditioning, run.pairs, options);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal_at(pair + 9), "");
  EXPECT_EQ(
      refusal_at(pair - 9),
      fmt::format(
          "dpo.memory_budget is {}, but a step needs {} for 2 completions of "
          "7 tokens after a prompt of 9 tokens; raise dpo.memory_budget, or "
          "lower data.max_prompt_tokens or data.max_completion_tokens",
          bytes_as_text(pair - 9),
          bytes_as_text(pair)));
}

// An online step on given completions is the offline step on the same pairs.
TEST(OnlineDpo, GradientIsThatOfThePairs) {
  Preferring run(dpo_options());
  run.trainer.step();
  SteeredPolicy& policy = *run.tiny.policy;
  Experience experience;
  Draw& draw = experience.draw;
  draw.samples_per_prompt = 2;
  const std::vector<Steering> steerings = run.steerings(0.75);
  std::vector<std::vector<double>> scores;
  for (std::size_t i = 0; i < run.pairs.size(); ++i) {
    const DpoPair& pair = run.pairs[i];
    draw.prompts.push_back(pair.prompt.ids);
    draw.plain_prompts.push_back(pair.prompt.ids);
    draw.coefficients.push_back(policy.coefficients_of(steerings[i]));
    draw.steerings.push_back(steerings[i]);
    for (std::size_t answer = 0; answer < 2; ++answer) {
      Generation row;
      row.tokens = pair.answers[answer];
      row.log_probs.assign(row.tokens.size(), 0.0F);
      row.finished = true;
      experience.rollout.rows.push_back(std::move(row));
      scores.push_back(pair.scores[answer]);
    }
  }
  std::vector<at::Tensor> mapped;
  for (const auto& row : scores)
    mapped.push_back(at::tensor(row, at::kDouble));
  experience.rewards.mapped = at::stack(mapped);
  TrainingOptions options;
  options.algorithm = Algorithm::kOnlineDpo;
  options.kl_strength = 0.2;
  StepTimes times;
  experience.ratios =
      score_log_ratios(policy, draw, experience.rollout, options, times);
  experience.advantages = make_advantages(
      draw,
      experience.rollout,
      experience.rewards,
      experience.ratios,
      {},
      options);
  std::map<std::string, double> metrics;
  add_preference_advantages(experience, options, metrics);
  const auto updates = minibatches_of(experience, options, 0);
  ASSERT_EQ(updates.size(), 1U);
  differentiate(policy, experience, updates[0], options, times);
  const auto online = run.gradients();
  const double loss = run.trainer.differentiate(kAll, steerings).loss();
  EXPECT_NEAR(metrics.at("loss"), loss, 1e-6);
  for (const auto& [name, gradient] : run.gradients())
    EXPECT_LT(distance(online.at(name), gradient), 1e-5) << name;
}

// The whole online step runs, reports and resumes.
TEST(OnlineDpo, StepsAndResumesBitForBit) {
  const auto make = [](const Scratch& scratch) {
    TinyRun run = tiny_run();
    run.training.algorithm = Algorithm::kOnlineDpo;
    run.training.kl_strength = 0.2;
    return std::make_unique<TinyTraining>(scratch.path(), run);
  };
  const Scratch scratch;
  const auto straight = make(scratch);
  StepResult last;
  for (int step = 0; step < 3; ++step)
    last = straight->trainer->step();
  EXPECT_TRUE(last.metrics.contains("loss"));
  EXPECT_TRUE(last.metrics.contains("reward"));
  const auto first = make(scratch);
  first->trainer->step();
  const auto second = make(scratch);
  second->trainer->restore(first->trainer->state());
  second->trainer->step();
  second->trainer->step();
  const auto expected = masters_of(*straight->policy);
  for (const auto& [name, master] : masters_of(*second->policy))
    EXPECT_TRUE(at::equal(master, expected.at(name))) << name;
}

}  // namespace
}  // namespace moft::test
