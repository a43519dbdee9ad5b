// Steps over the examples, the value network, and what a checkpoint keeps.
#include "moft/training/online.h"

#include <algorithm>

#include "moft/algorithms/values.h"
#include "moft/core/errors.h"
#include "moft/training/apply_update.h"
#include "moft/training/gradient_cosines.h"
#include "moft/training/minibatches.h"
#include "moft/training/online_dpo.h"
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
          make_optimizer(*inputs.policy->conditioning(), options_.optimizer)),
      combiner_(options_, inputs.objectives->names()) {
  if (options_.has_value_network()) make_value_learner();
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
  const bool ppo = options_.algorithm == Algorithm::kPpo;
  const StepPlan step_plan = plan(drawn);
  // Its pass serves the gradient of all prompts only.
  std::optional<FirstPass> first;
  if (options_.updates_per_pass() == 1)
    first.emplace(*policy.conditioning(), drawn, step_plan);
  FirstPass* const first_pass = first ? &*first : nullptr;
  const ObjectiveSet& objectives = *inputs_.objectives;
  StepRewards step_rewards(
      objectives, drawn, &policy.tokenizer(), options_.steps, stop_requested_);
  Rollout rollout = roll_out(
      policy,
      drawn,
      {static_cast<std::uint64_t>(options_.seed),
       options_.max_new_tokens,
       steerings_per_step(),
       step_plan.memory.rows_at_once()},
      times,
      first_pass,
      step_rewards.on_completion());
  // What comes from outside may arrive while log ratios are computed, unless a
  // value network learns from it first.
  const bool late = objectives.has_sources() && (ppo || !value_);
  Scores rewards;
  if (!late) rewards = step_rewards.finish(rollout, times);
  StepValues values;
  if (value_) {
    const std::int64_t held = held_beside_values(step_plan, first_pass);
    values = predict(drawn, rollout, rewards, held, times);
  }
  LogRatios ratios =
      score_log_ratios(policy, drawn, rollout, options_, times, first_pass);
  if (late) rewards = step_rewards.finish(rollout, times);
  Advantages advantages = make_advantages(
      drawn, rollout, rewards, ratios, values.of_prompts, options_, combiner_);
  Experience experience{
      std::move(drawn),
      std::move(rollout),
      std::move(rewards),
      std::move(ratios),
      std::move(advantages)};
  if (ppo) {
    TokenValues& tokens = values.of_tokens;
    tokens.returns =
        add_token_advantages(experience, tokens.values, options_, combiner_);
  }
  if (options_.algorithm == Algorithm::kOnlineDpo)
    add_preference_advantages(experience, options_, result.metrics);
  learn(experience, values, first_pass, result);

  sampler_->observe(experience);
  combiner_.observe(experience.rewards);
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
        longest(value_prompts(draw, options_.value)),
        options_.algorithm == Algorithm::kPpo ? options_.max_new_tokens : 0);
  }
  return plan;
}

void OnlineTrainer::learn(
    const Experience& experience,
    const StepValues& values,
    FirstPass* first,
    StepResult& result) {
  const bool ppo = options_.algorithm == Algorithm::kPpo;
  const double share =
      1.0 /
      static_cast<double>(options_.passes() * options_.updates_per_pass());
  const auto& every = options_.gradient_cosine_every;
  const bool compare = every && (step_ + 1) % *every == 0;
  const auto report_cosines = [&](bool keep_gradient) {
    report_gradient_cosines(
        *inputs_.policy,
        experience,
        inputs_.objectives->names(),
        options_,
        keep_gradient,
        result.times,
        result.metrics);
  };
  // They are of the parameters that sampled the completions.
  if (compare && !first) report_cosines(false);
  ClipFigures figures;
  bool on_policy = true;
  for (std::int64_t pass = 0; pass < options_.passes(); ++pass) {
    for (Minibatch& batch : minibatches_of(experience, options_, pass)) {
      batch.on_policy = on_policy;
      figures.add(differentiate(
          *inputs_.policy,
          experience,
          batch,
          options_,
          result.times,
          on_policy ? first : nullptr));
      if (compare && first && on_policy) report_cosines(true);
      if (ppo) {
        learn_tokens(experience, batch.prompts, values, share, result);
      } else if (value_ && on_policy) {
        learn_values(experience, values.of_prompts, values.slices, result);
        update_values(1.0, result);
      }
      update(batch, share, result);
      on_policy = false;
    }
  }
  report_clip(figures, result.metrics);
  if (ppo) {
    report_token_values(
        values.of_tokens, inputs_.objectives->names(), result.metrics);
  }
}

void OnlineTrainer::update_values(double share, StepResult& result) {
  const Stopwatch watch(result.times.value);
  result.metrics["value/grad_norm"] += share * value_->update();
}

// Where nothing is learned the optimizer does not move either: its moments
// would go on in the direction of earlier steps.
void OnlineTrainer::update(
    const Minibatch& batch, double share, StepResult& result) {
  const Stopwatch watch(result.times.optimizer);
  const bool warm = !value_ || step_ >= options_.value.warmup_steps;
  std::optional<double> rate;
  if (warm && !batch.empty) rate = learning_rate_at(options_, step_);
  result.metrics["grad_norm"] += share * apply_update(
                                             *optimizer_,
                                             *inputs_.policy->conditioning(),
                                             options_.gradient_clip,
                                             rate);
  double& reported = result.metrics["learning_rate"];
  reported = rate.value_or(reported);
}

// ---- the value network -----------------------------------------------------

void OnlineTrainer::make_value_learner() {
  const SteeredPolicy& policy = *inputs_.policy;
  if (!inputs_.value_model) {
    throw_caller_error(
        "the baseline is value, or the algorithm ppo, but there is no model to "
        "make the value network of; give one");
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
  const std::size_t count = inputs_.objectives->size();
  const auto outputs =
      options_.algorithm == Algorithm::kPpo
          ? token_value_columns(options_, count)
          : static_cast<std::int64_t>(each ? count : std::size_t{1});
  value_ = std::make_unique<ValueLearner>(
      inputs_.value_model, outputs, options_.value);
}

std::int64_t OnlineTrainer::held_beside_values(
    const StepPlan& plan, const FirstPass* first) const {
  const bool graph = first && first->keep_graph;
  return plan.memory.feature_bytes() + (graph ? plan.memory.graph_bytes() : 0);
}

// Prompts count as the longest.
ItemSlices OnlineTrainer::prompt_value_slices(
    const Draw& draw, std::int64_t held) const {
  const auto& prompts = value_prompts(draw, options_.value);
  const StepMemory memory = value_memory(
      shape_of(*inputs_.value_model),
      std::vector<std::int64_t>(prompts.size(), longest(prompts)),
      options_.budget_bytes(),
      held);
  return memory.parts_of_slices(prompts.size(), options_.gradient_accumulation);
}

StepPlan OnlineTrainer::token_value_plan(
    const Draw& draw, std::int64_t held) const {
  const auto& prompts = value_prompts(draw, options_.value);
  StepShape shape;
  shape.prompt_tokens.assign(prompts.size(), longest(prompts));
  shape.samples = draw.samples_per_prompt;
  shape.new_tokens = options_.max_new_tokens;
  return {
      value_memory(
          shape_of(*inputs_.value_model),
          std::move(shape),
          options_.budget_bytes(),
          held),
      options_.gradient_accumulation};
}

void OnlineTrainer::learn_tokens(
    const Experience& experience,
    const std::vector<std::size_t>& prompts,
    const StepValues& values,
    double share,
    StepResult& result) {
  {
    const Stopwatch watch(result.times.value);
    const auto parts = value_parts(
        experience.draw,
        experience.rollout,
        prompts,
        *values.plan,
        options_.value.prompt);
    result.metrics["value/clip_ratio"] +=
        share *
        learn_token_values(
            *value_, parts, values.of_tokens, options_.ppo.cliprange_value);
  }
  update_values(share, result);
}

OnlineTrainer::StepValues OnlineTrainer::predict(
    const Draw& draw,
    const Rollout& rollout,
    const Scores& rewards,
    std::int64_t held,
    StepTimes& times) {
  StepValues values;
  if (options_.algorithm != Algorithm::kPpo) {
    values.slices = prompt_value_slices(draw, held);
    values.of_prompts = predict_values(draw, rewards, values.slices, times);
    return values;
  }
  const Stopwatch watch(times.value);
  values.plan = token_value_plan(draw, held);
  values.of_tokens.values = predict_token_values(
      *value_,
      value_parts(
          draw,
          rollout,
          all_prompts(draw),
          *values.plan,
          options_.value.prompt));
  return values;
}

// The targets of single objectives are known before the policy is scored, so
// one pass of the network predicts and learns.
at::Tensor OnlineTrainer::predict_values(
    const Draw& draw,
    const Scores& rewards,
    const ItemSlices& slices,
    StepTimes& times) {
  const Stopwatch watch(times.value);
  const auto& prompts = value_prompts(draw, options_.value);
  if (options_.value.target == ValueTarget::kReward)
    return value_->predict(prompts, slices);
  return value_->learn(
      {prompts, rewards.mapped, draw.samples_per_prompt, slices});
}

void OnlineTrainer::learn_values(
    const Experience& experience,
    const at::Tensor& values,
    const ItemSlices& slices,
    StepResult& result) {
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
         slices});
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
  state.rewards = combiner_.state();
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
  combiner_.restore(state.rewards);
  if (value_) value_->restore(state.value, state.value_optimizer);
  restore_masters(state.masters, *inputs_.policy->conditioning());
}

}  // namespace moft
