// Values of prompts and values of tokens, each from prediction to update.
#include "moft/training/step_values.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "moft/algorithms/values.h"
#include "moft/core/errors.h"
#include "moft/training/make_optimizer.h"
#include "moft/training/ranks.h"
#include "moft/training/step_memory.h"
#include "moft/training/step_report.h"
#include "moft/training/stopwatch.h"
#include "moft/training/token_values.h"

namespace moft {
namespace {

std::int64_t longest(const std::vector<TokenIds>& prompts) {
  std::int64_t tokens = 1;
  for (const TokenIds& prompt : prompts)
    tokens = std::max(tokens, std::ssize(prompt));
  return tokens;
}

// Prompts count as the longest.
std::vector<std::int64_t> lengths_of(const std::vector<TokenIds>& prompts) {
  return std::vector<std::int64_t>(prompts.size(), longest(prompts));
}

// ---- values of prompts: baseline: value -------------------------------------

bool predicts_objectives(const TrainingOptions& options) {
  return options.value.target == ValueTarget::kObjectives;
}

std::int64_t prompt_columns(const ValueSetup& setup) {
  return predicts_objectives(setup.options) ? std::ssize(setup.objectives) : 1;
}

class PromptValues : public StepValues {
 public:
  explicit PromptValues(const ValueSetup& setup)
      : StepValues(setup, prompt_columns(setup), FirstValues::kLogits) {}

  std::int64_t least_bytes(const Draw& draw) const override {
    return value_bytes(shape(), longest(prompts_of(draw)));
  }

  bool reads_rewards() const override { return true; }

  // The targets of single objectives are known before the policy is scored, so
  // one pass of the network predicts and learns.
  void predict(const ValueInputs& inputs, StepTimes& times) override {
    slices_ = slices_of_prompts(inputs);
    {
      const Stopwatch watch(times.value);
      if (predicts_objectives(options())) {
        values_ = learn_targets(inputs.draw, inputs.rewards.mapped);
      } else {
        values_ = network().predict(prompts_of(inputs.draw), slices_);
      }
    }
    if (ranks()) values_ = ranks()->gather_rows(values_, times);
  }

  at::Tensor of_prompts() const override { return values_; }

  // One update, the step's first.
  void learn(
      const Experience& experience,
      const Minibatch& minibatch,
      double /*share*/,
      StepResult& result) override {
    if (!minibatch.on_policy) return;
    {
      const Stopwatch watch(result.times.value);
      at::Tensor targets = experience.rewards.mapped;
      if (!predicts_objectives(options())) {
        targets = experience.advantages.trained_reward.unsqueeze(1);
        learn_targets(experience.draw, targets);
      }
      report(experience, targets, result.metrics);
    }
    update(/*share=*/1.0, result);
  }

 private:
  ItemSlices slices_of_prompts(const ValueInputs& inputs) const {
    const auto& prompts = prompts_of(inputs.draw);
    const StepMemory memory = value_memory(
        shape(), lengths_of(prompts), options().budget_bytes(), inputs.held);
    const ItemSlices all =
        memory.parts_of_slices(prompts.size(), options().gradient_accumulation);
    if (!ranks()) return all;
    const auto [begin, end] = ranks()->slices();
    return {
        all.begin() + static_cast<std::ptrdiff_t>(begin),
        all.begin() + static_cast<std::ptrdiff_t>(end)};
  }

  // targets [B, m or 1]; the values before.
  at::Tensor learn_targets(const Draw& draw, const at::Tensor& targets) {
    return network().learn(
        {prompts_of(draw), targets, draw.samples_per_prompt, slices_});
  }

  void report(
      const Experience& experience,
      const at::Tensor& targets,
      std::map<std::string, double>& metrics) const {
    const at::Tensor& kept = experience.advantages.kept;
    const at::Tensor by_row =
        values_.index_select(0, experience.draw.prompt_of_row());
    if (kept.numel() > 0) {
      const at::Tensor found = by_row.index_select(0, kept);
      const at::Tensor wanted = targets.index_select(0, kept);
      metrics["value/loss"] =
          value_loss(found, wanted, static_cast<double>(wanted.numel()))
              .item<double>();
      metrics["value/explained_variance"] = explained_variance(found, wanted);
    }
    const at::Tensor means = by_row.mean(0);
    for (std::int64_t i = 0; i < means.numel(); ++i) {
      const std::string name = predicts_objectives(options())
                                   ? objectives()[static_cast<std::size_t>(i)]
                                   : "reward";
      metrics["value/" + name + "/mean"] = means[i].item<double>();
    }
  }

  at::Tensor values_;  // [P, m or 1]
  ItemSlices slices_;  // that the prompts are computed in
};

// ---- values of tokens: PPO --------------------------------------------------

// Its values are 0 at first. Logits, which are larger than any reward, would
// make every end of a completion look like a loss: lambda below 1 does not take
// out what a value is off by, and completions would grow to their longest.
class CompletionValues : public StepValues {
 public:
  explicit CompletionValues(const ValueSetup& setup)
      : StepValues(
            setup,
            token_value_columns(setup.options, setup.objectives.size()),
            FirstValues::kZero) {}

  std::int64_t least_bytes(const Draw& draw) const override {
    return value_bytes(
        shape(), longest(prompts_of(draw)), options().max_new_tokens);
  }

  bool reads_rewards() const override { return false; }

  void predict(const ValueInputs& inputs, StepTimes& times) override {
    plan_ = plan(inputs);
    {
      const Stopwatch watch(times.value);
      tokens_.values = predict_token_values(
          network(),
          parts(inputs.draw, inputs.rollout, all_prompts(inputs.draw)));
    }
    if (ranks()) tokens_.values = ranks()->gather_rows(tokens_.values, times);
  }

  void make_token_advantages(
      Experience& experience, const RewardCombiner& combiner) override {
    tokens_.returns =
        add_token_advantages(experience, tokens_.values, options(), combiner);
  }

  void learn(
      const Experience& experience,
      const Minibatch& minibatch,
      double share,
      StepResult& result) override {
    if (minibatch.on_policy)
      report_token_values(tokens_, objectives(), result.metrics);
    const double count = count_returns(
        experience.draw,
        experience.rollout,
        minibatch.prompts,
        tokens_.returns);
    double clipped = 0.0;
    {
      const Stopwatch watch(result.times.value);
      clipped = learn_token_values(
          network(),
          parts(experience.draw, experience.rollout, minibatch.prompts),
          tokens_,
          options().ppo.cliprange_value,
          count);
    }
    if (ranks()) clipped = ranks()->sum(clipped, result.times);
    result.metrics["value/clip_ratio"] += share * (clipped / count);
    update(share, result);
  }

 private:
  StepPlan plan(const ValueInputs& inputs) const {
    StepShape step;
    step.prompt_tokens = lengths_of(prompts_of(inputs.draw));
    step.samples = inputs.draw.samples_per_prompt;
    step.new_tokens = options().max_new_tokens;
    StepPlan plan{
        value_memory(shape(), step, options().budget_bytes(), inputs.held),
        options().gradient_accumulation};
    if (ranks()) plan.here = ranks()->slices();
    return plan;
  }

  std::vector<StepPart> parts(
      const Draw& draw,
      const Rollout& rollout,
      const std::vector<std::size_t>& prompts) const {
    return value_parts(draw, rollout, prompts, *plan_, options().value.prompt);
  }

  TokenValues tokens_;
  std::optional<StepPlan> plan_;  // of the step's completions
};

void check(const SteeredPolicy& policy, const ValueSetup& setup) {
  if (!setup.model) {
    throw_caller_error(
        "the baseline is value, or the algorithm ppo, but there is no model to "
        "make the value network of; give one");
  }
  const std::int64_t vocabulary = setup.model->info().vocabulary;
  const std::int64_t own = policy.base().model->info().vocabulary;
  if (vocabulary != own) {
    throw_caller_error(
        "training.value.model has a vocabulary of {} tokens, but the policy's "
        "has {}; give a model with the policy's tokenizer",
        vocabulary,
        own);
  }
  if (setup.options.value.prompt == ValuePrompt::kConditioned &&
      !policy.conditions_prompts()) {
    throw_caller_error(
        "training.value.prompt is conditioned but there is no "
        "conditioning.prompt; give that, or prompt: plain");
  }
}

}  // namespace

// ---- what both kinds have ---------------------------------------------------

// Its shape is that of the model with its new head.
StepValues::StepValues(
    ValueSetup setup, std::int64_t columns, FirstValues first)
    : objectives_(std::move(setup.objectives)),
      options_(std::move(setup.options)),
      learner_(
          setup.model,
          columns,
          options_.value,
          first,
          optimizer_ranks(setup.ranks ? setup.ranks->group() : nullptr)),
      shape_(shape_of(*setup.model)),
      ranks_(setup.ranks) {
  if (ranks_) learner_.keep_slices();
}

const std::vector<TokenIds>& StepValues::prompts_of(const Draw& draw) const {
  return options_.value.prompt == ValuePrompt::kConditioned
             ? draw.prompts
             : draw.plain_prompts;
}

void StepValues::update(double share, StepResult& result) {
  if (ranks_)
    learner_.put_slice(ranks_->sum(learner_.take_slices(), result.times));
  const Stopwatch watch(result.times.value);
  result.metrics["value/grad_norm"] += share * learner_.update();
}

void StepValues::save(TrainerState& state) const {
  state.value = learner_.masters();
  state.value_optimizer = learner_.optimizer_state();
}

void StepValues::restore(const TrainerState& state) {
  learner_.restore(state.value, state.value_optimizer);
}

std::unique_ptr<StepValues> make_step_values(
    const SteeredPolicy& policy, const ValueSetup& setup) {
  if (!setup.options.has_value_network()) return nullptr;
  check(policy, setup);
  if (setup.options.rule().values_tokens)
    return std::make_unique<CompletionValues>(setup);
  return std::make_unique<PromptValues>(setup);
}

}  // namespace moft
