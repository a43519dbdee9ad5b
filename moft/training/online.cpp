// Steps over the examples, the value network, and what a checkpoint keeps.
#include "moft/training/online.h"

#include <algorithm>

#include "moft/algorithms/values.h"
#include "moft/core/errors.h"
#include "moft/training/apply_update.h"
#include "moft/training/online_step.h"
#include "moft/training/step_report.h"
#include "moft/training/step_rewards.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

const std::vector<TokenIds>& value_prompts(
    const Draw& draw, const ValueOptions& options) {
  return options.prompt == ValuePrompt::kConditioned ? draw.prompts
                                                     : draw.plain_prompts;
}

std::int64_t longest(const std::vector<TokenIds>& prompts) {
  std::int64_t tokens = 1;
  for (const TokenIds& prompt : prompts)
    tokens = std::max(tokens, std::ssize(prompt));
  return tokens;
}

ExampleOrder order_of(const TrainerInputs& inputs) {
  return inputs.shuffle ? ExampleOrder::kShuffled : ExampleOrder::kFile;
}

}  // namespace

OnlineTrainer::OnlineTrainer(
    TrainerInputs inputs,
    TrainingOptions options,
    std::unique_ptr<SteeringSampler> sampler)
    : inputs_(inputs),
      options_(std::move(options)),
      sampler_(std::move(sampler)),
      prompts_(
          *inputs.policy,
          *inputs.examples,
          {inputs.max_prompt_tokens, options_.max_new_tokens}),
      shuffler_(
          static_cast<std::uint64_t>(options_.seed),
          prompts_.size(),
          order_of(inputs)),
      optimizer_(
          make_optimizer(*inputs.policy->conditioning(), options_.optimizer)) {
  if (options_.baseline == Baseline::kValue) make_value_learner();
  inputs.objectives->start_sources();
}

OnlineTrainer::OnlineTrainer(
    TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler)
    : OnlineTrainer(
          inputs,
          options,
          std::make_unique<IndependentSteerings>(
              std::move(sampler), options, inputs.policy->kl_range())) {}

// Nothing but the order of the examples changes before the rewards are there.
StepResult OnlineTrainer::step() {
  const ShuffleCursor before = shuffler_.cursor();
  try {
    return take_step();
  } catch (const WaitStopped&) {
    shuffler_.seek(before);
    throw;
  }
}

// Algorithm 1, one turn of its loop.
StepResult OnlineTrainer::take_step() {
  StepResult result;
  result.step = step_ + 1;
  StepTimes& times = result.times;
  SteeredPolicy& policy = *inputs_.policy;

  Draw drawn = draw();
  FirstPass first(*policy.conditioning(), drawn, plan(drawn));
  const ObjectiveSet& objectives = *inputs_.objectives;
  StepRewards step_rewards(
      objectives, drawn, &policy.tokenizer(), options_.steps, stop_requested_);
  Rollout rollout = roll_out(
      policy,
      drawn,
      {static_cast<std::uint64_t>(options_.seed),
       options_.max_new_tokens,
       steerings_per_step(),
       first.plan.memory.rows_at_once()},
      times,
      &first,
      step_rewards.on_completion());
  // What comes from outside may arrive while log ratios are computed, unless a
  // value network learns from it first.
  const bool late = objectives.has_sources() && !value_;
  Scores rewards;
  if (!late) rewards = step_rewards.finish(rollout, times);
  const std::int64_t parts = value_parts(drawn, first);
  const at::Tensor values = predict_values(drawn, rewards, parts, times);
  LogRatios ratios =
      score_log_ratios(policy, drawn, rollout, options_, times, &first);
  if (late) rewards = step_rewards.finish(rollout, times);
  Advantages advantages =
      make_advantages(drawn, rollout, rewards, ratios, values, options_);
  const Experience experience{
      std::move(drawn),
      std::move(rollout),
      std::move(rewards),
      std::move(ratios),
      std::move(advantages)};
  differentiate(
      policy, experience, whole_batch(experience), options_, times, &first);
  learn_values(experience, values, parts, result);
  update(result);

  sampler_->observe(experience);
  report_step(experience, objectives.names(), result);
  ++step_;
  return result;
}

std::int64_t OnlineTrainer::steerings_per_step() const {
  return static_cast<std::int64_t>(sampler_->most_distinct(
      static_cast<std::size_t>(options_.prompts_per_step)));
}

Draw OnlineTrainer::draw() {
  const auto count = static_cast<std::size_t>(options_.prompts_per_step);
  return make_draw(
      *inputs_.policy,
      prompts_,
      shuffler_.next(count),
      sampler_->draw(step_, count),
      step_,
      options_.samples_per_prompt);
}

StepPlan OnlineTrainer::plan(const Draw& draw) const {
  StepPlan plan = plan_step(*inputs_.policy, draw, options_);
  if (value_) {
    plan.between = value_bytes(
        shape_of(*inputs_.value_model),
        longest(value_prompts(draw, options_.value)));
  }
  return plan;
}

void OnlineTrainer::update(StepResult& result) {
  if (value_) {
    const Stopwatch watch(result.times.value);
    result.metrics["value/grad_norm"] = value_->update();
  }
  const Stopwatch watch(result.times.optimizer);
  std::optional<double> rate;
  if (!value_ || step_ >= options_.value.warmup_steps)
    rate = learning_rate_at(options_, step_);
  result.metrics["grad_norm"] = apply_update(
      *optimizer_,
      *inputs_.policy->conditioning(),
      options_.gradient_clip,
      rate);
  result.metrics["learning_rate"] = rate.value_or(0.0);
}

// ---- the value network -----------------------------------------------------

void OnlineTrainer::make_value_learner() {
  const SteeredPolicy& policy = *inputs_.policy;
  if (!inputs_.value_model) {
    throw_caller_error(
        "the baseline is value but there is no model to make the value "
        "network of; give one");
  }
  const std::int64_t vocabulary = inputs_.value_model->info().vocabulary;
  const std::int64_t own = inputs_.policy->model().info().vocabulary;
  if (vocabulary != own) {
    throw_caller_error(
        "training.value.model has a vocabulary of {} tokens, but the policy's "
        "has {}; give a model with the policy's tokenizer",
        vocabulary,
        own);
  }
  if (options_.value.prompt == ValuePrompt::kConditioned &&
      !policy.conditions_prompts()) {
    throw_caller_error(
        "training.value.prompt is conditioned but there is no "
        "conditioning.prompt; give that, or prompt: plain");
  }
  const bool each = options_.value.target == ValueTarget::kObjectives;
  const auto outputs = static_cast<std::int64_t>(
      each ? inputs_.objectives->size() : std::size_t{1});
  value_ = std::make_unique<ValueLearner>(
      inputs_.value_model, outputs, options_.value);
}

// Prompts count as the longest.
std::int64_t OnlineTrainer::value_parts(
    const Draw& draw, const FirstPass& first) const {
  if (!value_) return 1;
  const auto& prompts = value_prompts(draw, options_.value);
  const StepMemory& step = first.plan.memory;
  const StepMemory memory = value_memory(
      shape_of(*inputs_.value_model),
      std::vector<std::int64_t>(prompts.size(), longest(prompts)),
      options_.budget_bytes(),
      step.feature_bytes() + (first.keep_graph ? step.graph_bytes() : 0));
  return std::max(
      options_.gradient_accumulation,
      std::ssize(memory.parts_of(all_prompts(draw))));
}

// The targets of single objectives are known before the policy is scored, so
// one pass of the network predicts and learns.
at::Tensor OnlineTrainer::predict_values(
    const Draw& draw,
    const Scores& rewards,
    std::int64_t parts,
    StepTimes& times) {
  if (!value_) return {};
  const Stopwatch watch(times.value);
  const auto& prompts = value_prompts(draw, options_.value);
  if (options_.value.target == ValueTarget::kReward)
    return value_->predict(prompts, parts);
  return value_->learn(
      {prompts, rewards.mapped, draw.samples_per_prompt, parts});
}

void OnlineTrainer::learn_values(
    const Experience& experience,
    const at::Tensor& values,
    std::int64_t parts,
    StepResult& result) {
  if (!value_) return;
  const Stopwatch watch(result.times.value);
  const Draw& draw = experience.draw;
  const bool objectives = options_.value.target == ValueTarget::kObjectives;
  const at::Tensor targets =
      objectives ? experience.rewards.mapped
                 : experience.advantages.trained_reward.unsqueeze(1);
  if (!objectives) {
    value_->learn(
        {value_prompts(draw, options_.value),
         targets,
         draw.samples_per_prompt,
         parts});
  }
  auto& metrics = result.metrics;
  const at::Tensor& kept = experience.advantages.kept;
  const at::Tensor by_row = values.index_select(0, draw.prompt_of_row());
  if (kept.numel() > 0) {
    const at::Tensor found = by_row.index_select(0, kept);
    const at::Tensor wanted = targets.index_select(0, kept);
    metrics["value/loss"] =
        value_loss(found, wanted, static_cast<double>(wanted.numel()))
            .item<double>();
    metrics["value/explained_variance"] = explained_variance(found, wanted);
  }
  const at::Tensor means = by_row.mean(0);
  const auto& names = inputs_.objectives->names();
  for (std::int64_t i = 0; i < means.numel(); ++i) {
    const std::string name =
        objectives ? names[static_cast<std::size_t>(i)] : "reward";
    metrics["value/" + name + "/mean"] = means[i].item<double>();
  }
}

// ---- a run's view ----------------------------------------------------------

RunOptions OnlineTrainer::run_options() const {
  RunOptions run;
  run.section = "training";
  run.memory_cure = kTrainingMemoryCure;
  run.steps = options_.steps;
  run.schedule = options_.schedule.kind;
  run.checkpoint = options_.checkpoint;
  run.guards = options_.guards;
  run.evaluate_every = options_.evaluation.every;
  run.log_samples = options_.log_samples;
  run.objectives = inputs_.objectives->names();
  run.progress = {{"reward", "reward"}};
  for (const std::string& name : run.objectives)
    run.progress.push_back({name, "rewards/" + name + "/mean"});
  run.progress.push_back({"kl", "kl"});
  run.progress.push_back({"tokens_per_second", "tokens_per_second"});
  for (const std::string part :
       {"rollout", "rewards", "reference", "policy", "value", "optimizer"}) {
    run.progress.push_back(
        {part, "time/" + part, ProgressFigure::Format::kShareOfStep});
  }
  return run;
}

TrainerState OnlineTrainer::state() const {
  TrainerState state;
  state.step = step_;
  state.cursor = shuffler_.cursor();
  state.masters = inputs_.policy->conditioning()->tensors();
  state.optimizer = optimizer_->export_state();
  state.sampler = sampler_->state();
  if (value_) {
    state.value = value_->masters();
    state.value_optimizer = value_->optimizer_state();
  }
  return state;
}

void OnlineTrainer::restore(const TrainerState& state) {
  step_ = state.step;
  ShuffleCursor cursor = state.cursor;
  if (!inputs_.shuffle) {
    // Checkpoints of older versions do not count examples in file order.
    const auto seen =
        static_cast<std::uint64_t>(step_ * options_.prompts_per_step);
    cursor = {
        static_cast<std::uint32_t>(seen / prompts_.size()),
        seen % prompts_.size()};
  }
  shuffler_.seek(cursor);
  optimizer_->import_state(state.optimizer);
  sampler_->restore(state.sampler);
  if (value_) value_->restore(state.value, state.value_optimizer);
  restore_masters(state.masters, *inputs_.policy->conditioning());
}

}  // namespace moft
