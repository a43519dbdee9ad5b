// Short and long steps of a trainer, timed.
#include "moft/recipes/measure_rates.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "moft/core/log.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/recipes/start.h"
#include "moft/recipes/training_models.h"
#include "moft/training/online.h"

namespace moft {
namespace {

// Means over steps.
struct Timed {
  StepTimes times;
  double answer = 0.0;  // tokens
  std::int64_t steps = 0;
};

Timed mean_of(const std::vector<StepResult>& steps) {
  Timed mean;
  const double share = 1.0 / static_cast<double>(steps.size());
  for (const StepResult& step : steps) {
    const StepTimes& times = step.times;
    mean.times.rollout += share * times.rollout;
    mean.times.rewards += share * times.rewards;
    mean.times.reference += share * times.reference;
    mean.times.policy += share * times.policy;
    mean.times.value += share * times.value;
    mean.times.optimizer += share * times.optimizer;
    mean.answer += share * step.metrics.at("completions/mean_length");
  }
  mean.steps = std::ssize(steps);
  return mean;
}

class Measurement {
 public:
  Measurement(
      const Recipe& recipe, TrainPreflight ready, const LoadOptions& load)
      : recipe_(recipe),
        load_(load),
        policy_(
            std::move(ready.models.base),
            std::move(ready.models.tokenizer),
            definition_of(recipe),
            static_cast<std::uint64_t>(recipe.training.seed)),
        objectives_(std::move(*ready.models.objectives)),
        examples_(std::move(ready.train.examples)) {
    if (!recipe.policy.start.empty()) start_policy(policy_, recipe.policy);
  }

  // Steps with answers of at most `new_tokens`, until `until` says that enough
  // were made. The first one packs weights and is not counted when there is
  // another.
  template <typename Until>
  Timed steps(std::int64_t new_tokens, const Until& until) {
    TrainingOptions options = recipe_.training;
    options.max_new_tokens = new_tokens;
    OnlineTrainer trainer(
        {&policy_,
         &objectives_,
         &examples_,
         recipe_.data.max_prompt_tokens,
         recipe_.data.shuffle,
         value_network()},
        options,
        make_weighting_sampler(
            recipe_.weightings, objectives_.names(), "weightings"));
    std::vector<StepResult> steps;
    do {
      steps.push_back(trainer.step());
    } while (!until(steps));
    prompt_ = mean_prompt(trainer.prompts());
    if (steps.size() > 1) steps.erase(steps.begin());
    return mean_of(steps);
  }

  double mean_prompt_tokens() const { return prompt_; }

 private:
  // A fresh one: a trainer changes it.
  std::shared_ptr<LanguageModel> value_network() const {
    const TrainingOptions& training = recipe_.training;
    if (!training.has_value_network()) return nullptr;
    const auto& own = training.value.model;
    return load_language_model(
               own.value_or(recipe_.policy.model),
               own ? load_ : base_options(recipe_, load_))
        .model;
  }

  static double mean_prompt(const TrainingPrompts& prompts) {
    double tokens = 0.0;
    for (const TokenIds& ids : prompts.ids())
      tokens += static_cast<double>(ids.size());
    return tokens / static_cast<double>(prompts.size());
  }

  const Recipe& recipe_;
  const LoadOptions& load_;
  SteeredPolicy policy_;
  ObjectiveSet objectives_;
  std::vector<Example> examples_;
  double prompt_ = 0.0;
};

}  // namespace

MeasuredRates measure_rates(
    const Recipe& recipe,
    TrainPreflight ready,
    const LoadOptions& load,
    double seconds) {
  const MemoryQuestion question = *ready.memory;
  const TrainingOptions& training = recipe.training;
  const std::int64_t whole_tokens = training.max_new_tokens;
  const std::int64_t brief_tokens = std::max<std::int64_t>(1, whole_tokens / 4);
  log_info(
      "measuring steps of {} prompts for about {:.0f} s",
      training.prompts_per_step,
      seconds);
  MeasuredRates found;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [start] {
    return std::chrono::duration<double>(
               std::chrono::steady_clock::now() - start)
        .count();
  };
  Measurement measurement(recipe, std::move(ready), load);
  const Timed brief = measurement.steps(brief_tokens, [&](const auto& steps) {
    return steps.size() >= 3 || elapsed() > seconds / 3.0;
  });
  const Timed whole = measurement.steps(whole_tokens, [&](const auto& steps) {
    return elapsed() + steps.back().times.total() > seconds;
  });
  found.seconds = elapsed();
  found.steps = brief.steps + whole.steps;
  found.lengths = {measurement.mean_prompt_tokens(), whole.answer};
  const StepWork work = work_of_rank(question, found.lengths);
  const double rows = static_cast<double>(work.rows);
  const auto pass = [&](double StepTimes::*part) {
    return pass_through(
        {rows * brief.answer, brief.times.*part},
        {rows * whole.answer, whole.times.*part},
        work.prompt_tokens);
  };
  found.rates.rollout = pass(&StepTimes::rollout);
  found.rates.reference = pass(&StepTimes::reference);
  found.rates.policy = pass(&StepTimes::policy);
  found.rates.value = pass(&StepTimes::value);
  found.rates.reward = whole.times.rewards / rows;
  found.rates.optimizer =
      whole.times.optimizer / static_cast<double>(work.optimizer_bytes);
  return found;
}

}  // namespace moft
