// Choices of the training section in combinations that nobody thought of: each
// trains to finite numbers, whatever the parts of a step, or is refused.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

using Missing = std::function<bool(std::int64_t step, std::size_t row)>;

// How often a letter is in the answer; no reward where `missing` says so.
class LetterReward : public Reward {
 public:
  LetterReward(char letter, Missing missing)
      : Reward(std::string(1, letter)),
        letter_(letter),
        missing_(std::move(missing)) {}
  bool may_be_missing() const override { return true; }

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& /*memo*/) const override {
    std::vector<double> rewards;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      const std::string& text = batch.completions[row];
      rewards.push_back(
          missing_(batch.step, row) ? std::numeric_limits<double>::quiet_NaN()
                                    : static_cast<double>(std::count(
                                          text.begin(), text.end(), letter_)) /
                                          4.0);
    }
    return rewards;
  }

 private:
  char letter_;
  Missing missing_;
};

// A trainer on those rewards; `b` alone is missing.
struct LetterTraining {
  LetterTraining(
      const std::filesystem::path& folder,
      const TrainingOptions& options,
      Missing missing)
      : tiny(folder, plain(options)),
        objectives(
            {{"a",
              std::make_shared<LetterReward>(
                  'a', [](std::int64_t, std::size_t) { return false; })},
             {"b", std::make_shared<LetterReward>('b', std::move(missing))}}) {
    TrainerInputs inputs;
    inputs.policy = tiny.policy.get();
    inputs.objectives = &objectives;
    inputs.examples = &tiny.examples;
    if (options.has_value_network())
      inputs.value_model = load_language_model(tiny.base, {}).model;
    trainer = std::make_unique<OnlineTrainer>(
        inputs, options, make_weighting_sampler({}, {"a", "b"}, "weightings"));
  }

  static TinyRun plain(const TrainingOptions& options) {
    TinyRun run = tiny_run();
    run.training.kl_strength = options.kl_strength;
    run.change_conditioning = [](ConditioningOptions& conditioning) {
      conditioning.alpha_min = 0.05;
    };
    return run;
  }

  TinyTraining tiny;
  ObjectiveSet objectives;
  std::unique_ptr<OnlineTrainer> trainer;
};

// Every fourth or so.
bool some(std::int64_t step, std::size_t row) {
  return (row * 7 + static_cast<std::size_t>(step) * 5) % 4 == 1;
}
bool all_of_the_second_step(std::int64_t step, std::size_t /*row*/) {
  return step == 1;
}
bool never(std::int64_t /*step*/, std::size_t /*row*/) {
  return false;
}

class Chooser {
 public:
  explicit Chooser(std::uint32_t seed) : random_(seed) {}

  // Any name of the enumeration.
  template <class E>
  void any(E& value) {
    const auto names = enum_names(E{});
    value = std::next(names.begin(), below(std::size(names)))->first;
  }
  std::int64_t below(std::size_t count) {
    return static_cast<std::int64_t>(random_() % count);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::mt19937 random_;
};

TrainingOptions random_options(std::uint32_t seed) {
  Chooser choose(seed);
  TrainingOptions o = tiny_run().training;
  o.kl_strength = 0.2;
  o.prompts_per_step = 5;
  o.samples_per_prompt = 1 + choose.below(4);
  o.gradient_cosine_every = 1;
  o.missing_eos_penalty = 0.25;
  choose.any(o.algorithm);
  choose.any(o.kl_estimator);
  choose.any(o.advantage_normalisation);
  choose.any(o.weighting_per);
  choose.any(o.grpo.loss_type);
  choose.any(o.online_dpo.target);
  choose.any(o.online_dpo.ties);
  if (choose.one_in(2)) choose.any(o.baseline);
  if (choose.one_in(2)) choose.any(o.value.target);
  if (choose.one_in(2)) choose.any(o.kl_sampler);
  if (choose.one_in(3)) choose.any(o.multi_objective_aggregation);
  if (choose.one_in(3)) choose.any(o.reward_standardisation);
  if (choose.one_in(3)) choose.any(o.value.scale);
  if (choose.one_in(2)) {
    choose.any(o.scalarisation.kind);
    choose.any(o.scalarisation.criterion);
    if (o.scalarisation.kind == ScalarisationKind::kConstraint)
      o.scalarisation.constraints = {{"b", 0.5}};
  }
  o.grpo.num_iterations = o.ppo.num_ppo_epochs = 1 + choose.below(2);
  o.grpo.steps_per_generation = o.ppo.num_mini_batches = 1 + choose.below(3);
  o.grpo.mask_truncated_completions = choose.one_in(2);
  o.grpo.use_bias_correction_kl = choose.one_in(2);
  o.value.learning_rate = 0.01;
  o.value.warmup_steps = choose.below(2);
  return o;
}

std::string describe(const TrainingOptions& o) {
  return fmt::format(
      "{}, kl {}, baseline {}, {} of {} samples, {} {}, {}, {}, value {}",
      enum_name(o.algorithm),
      enum_name(o.kl_estimator),
      enum_name(o.baseline),
      enum_name(o.advantage_normalisation),
      o.samples_per_prompt,
      enum_name(o.scalarisation.kind),
      enum_name(o.scalarisation.criterion),
      enum_name(o.multi_objective_aggregation),
      enum_name(o.reward_standardisation),
      enum_name(o.value.target));
}

// Seconds, rounding, and, where a step has several updates, what comes after
// the first: an optimizer makes large of what rounding leaves.
bool is_of_the_parts(const std::string& name, const TrainingOptions& options) {
  const bool once = options.rule().passes * options.rule().updates == 1;
  const auto has = [&](const char* text) {
    return name.find(text) != std::string::npos;
  };
  return has("time") || has("tokens_per_second") || has("rollout_gap") ||
         (!once && (has("grad_norm") || has("clip_ratio") || name == "ratio" ||
                    name == "approx_kl"));
}

bool is_accepted(const TrainingOptions& options) {
  try {
    options.check("training.");
  } catch (const CallerError&) {
    return false;
  }
  return true;
}

TEST(Combinations, TrainToFiniteNumbersWhateverThePartsOfAStep) {
  const Scratch scratch;
  int trained = 0;
  for (std::uint32_t seed = 0; trained < 30; ++seed) {
    const TrainingOptions options = random_options(seed);
    if (!is_accepted(options)) continue;
    ++trained;
    SCOPED_TRACE(fmt::format("seed {}: {}", seed, describe(options)));
    std::vector<std::map<std::string, double>> first;
    for (const std::int64_t parts : {1, 3}) {
      TrainingOptions divided = options;
      divided.gradient_accumulation = parts;
      LetterTraining run(scratch.path(), divided, seed % 2 == 0 ? some : never);
      for (int step = 0; step < 2; ++step) {
        const StepResult result = run.trainer->step();
        if (step == 0) first.push_back(result.metrics);
        for (const auto& [name, value] : result.metrics)
          EXPECT_TRUE(std::isfinite(value)) << name;
      }
      for (const auto& [name, tensor] : masters_of(*run.tiny.policy))
        EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
    }
    for (const auto& [name, value] : first[0]) {
      if (is_of_the_parts(name, options)) continue;
      EXPECT_NEAR(first[1].at(name), value, 2e-3 * (1 + std::abs(value)))
          << name;
    }
  }
}

// The optimizers' moments of earlier steps do not move anything either.
TEST(Combinations, AStepWithoutRewardsChangesNothing) {
  const Scratch scratch;
  for (const auto& [algorithm, name] : enum_names(Algorithm{})) {
    TrainingOptions options = tiny_run().training;
    options.algorithm = algorithm;
    options.kl_strength = 0.1;
    options.ppo.num_mini_batches = 2;
    options.value.learning_rate = 0.01;
    LetterTraining run(scratch.path(), options, all_of_the_second_step);
    EXPECT_GT(run.trainer->step().metrics.at("learning_rate"), 0.0);
    const auto before = masters_of(*run.tiny.policy);
    std::map<std::string, at::Tensor> value;
    for (const auto& [key, tensor] : run.trainer->state().value)
      value[key] = tensor.clone();
    const StepResult empty = run.trainer->step();
    for (const auto& [key, metric] : empty.metrics)
      EXPECT_TRUE(std::isfinite(metric)) << name << " " << key;
    EXPECT_EQ(empty.metrics.at("learning_rate"), 0.0) << name;
    for (const auto& [key, tensor] : masters_of(*run.tiny.policy))
      EXPECT_TRUE(tensor.equal(before.at(key))) << name << " " << key;
    for (const auto& [key, tensor] : run.trainer->state().value)
      EXPECT_TRUE(tensor.equal(value.at(key))) << name << " " << key;
    EXPECT_GT(run.trainer->step().metrics.at("grad_norm"), 0.0) << name;
  }
}

}  // namespace
}  // namespace moft::test
