// Steps over the examples, and what a checkpoint keeps.
#include "moft/training/online.h"

#include <optional>
#include <utility>

#include "moft/rewards/outside/asked_by.h"
#include "moft/training/apply_update.h"
#include "moft/training/gradient_cosines.h"
#include "moft/training/make_optimizer.h"
#include "moft/training/minibatches.h"
#include "moft/training/online_step.h"
#include "moft/training/preference_advantages.h"
#include "moft/training/step_report.h"
#include "moft/training/step_rewards.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

ExampleOrder order_of(const TrainerInputs& inputs) {
  return inputs.shuffle ? ExampleOrder::kShuffled : ExampleOrder::kFile;
}

std::unique_ptr<StepRanks> ranks_of(
    const TrainerInputs& inputs, const TrainingOptions& options) {
  if (inputs.group == nullptr || inputs.group->size() == 1) return nullptr;
  return std::make_unique<StepRanks>(
      *inputs.group, options.gradient_accumulation);
}

Draw part_of(const Draw& draw, const StepRanks& ranks) {
  const auto [begin, end] = ranks.part_of(draw.prompts.size());
  return draw.slice(begin, end);
}

// Asks about all rows.
void send(const Rollout& rollout, StepRewards& rewards) {
  const OnCompletion arrived = rewards.on_completion();
  for (std::size_t row = 0; row < rollout.rows.size(); ++row)
    arrived(row, rollout.rows[row], rollout.texts[row]);
}

// Bytes of the budget that the policy's step holds from the rollout to the
// scoring.
std::int64_t held_meanwhile(const StepPlan& plan, const FirstPass* first) {
  const bool graph = first && first->keep_graph;
  return plan.memory.feature_bytes() + (graph ? plan.memory.graph_bytes() : 0);
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
      optimizer_(make_optimizer(
          *inputs.policy->conditioning(),
          options_.optimizer,
          optimizer_ranks(inputs.group))),
      combiner_(options_, inputs.objectives->names()),
      ranks_(ranks_of(inputs, options_)),
      values_(make_step_values(
          *inputs.policy,
          {inputs.value_model,
           inputs.objectives->names(),
           options_,
           ranks_.get()})) {
  by_first_ = ranks_ && asked_by_first_rank(*inputs.objectives);
  if (!by_first_ || ranks_->rank() == 0) inputs.objectives->start_sources();
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
  const ObjectiveSet& objectives = *inputs_.objectives;

  Experience e;
  e.draw = draw();
  gather_copies(e.draw, times);
  const StepPlan step_plan = plan(e.draw);
  // Its pass serves the gradient of all prompts only.
  std::optional<FirstPass> all;
  if (options_.rule().updates == 1)
    all.emplace(*policy.conditioning(), e.draw, step_plan);
  FirstPass* const first = all ? &*all : nullptr;
  const Draw part = ranks_ ? part_of(e.draw, *ranks_) : Draw();
  const Draw& own = ranks_ ? part : e.draw;
  StepRewards rewards(
      objectives,
      by_first_ ? e.draw : own,
      &policy.tokenizer(),
      options_.steps,
      stop_requested_);
  roll_out_step(e, own, step_plan, first, rewards, times);
  // What comes from outside may arrive while log ratios are computed, unless a
  // value network learns from it first.
  const bool late =
      objectives.has_sources() && !(values_ && values_->reads_rewards());
  if (!late) e.rewards = rewards_of(e, rewards, times);
  if (values_) {
    const std::int64_t held = held_meanwhile(step_plan, first);
    values_->predict({e.draw, e.rollout, e.rewards, held}, times);
  }
  e.ratios = ratios_of(e, first, times);
  if (late) e.rewards = rewards_of(e, rewards, times);
  make_advantages_of(e, result.metrics);
  learn(e, first, result);

  sampler_->observe(e);
  combiner_.observe(e.rewards);
  if (ranks_) ranks_->report(result.metrics);
  report_step(e, objectives.names(), result);
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

void OnlineTrainer::gather_copies(const Draw& draw, StepTimes& times) {
  Conditioning& conditioning = *inputs_.policy->conditioning();
  if (conditioning.ranks().size == 1) return;
  const Stopwatch watch(times.ranks);
  for (const Coefficients& c : draw.coefficients) {
    TORCH_CHECK(
        c == draw.coefficients.front(),
        "[online] ranks that share the copies need one steering a step");
  }
  conditioning.gather(draw.coefficients.front());
}

StepPlan OnlineTrainer::plan(const Draw& draw) const {
  StepPlan plan = plan_step(*inputs_.policy, draw, options_);
  if (values_) plan.between = values_->least_bytes(draw);
  if (ranks_) plan.here = ranks_->slices();
  return plan;
}

void OnlineTrainer::roll_out_step(
    Experience& experience,
    const Draw& part,
    const StepPlan& plan,
    FirstPass* first,
    StepRewards& rewards,
    StepTimes& times) {
  experience.rollout = roll_out(
      *inputs_.policy,
      part,
      rollout_options(plan),
      times,
      first,
      by_first_ ? OnCompletion() : rewards.on_completion());
  if (!ranks_) return;
  ranks_->gather(experience.rollout, experience.draw, times);
  if (by_first_ && ranks_->rank() == 0) send(experience.rollout, rewards);
  // Minibatches of several updates have prompts that others sampled.
  if (options_.rule().updates > 1) experience.rollout.features.reset();
}

Scores OnlineTrainer::rewards_of(
    const Experience& experience, StepRewards& rewards, StepTimes& times) {
  const Rollout& rollout = experience.rollout;
  if (!ranks_) return rewards.finish(rollout, times);
  return ranks_->score(
      *inputs_.objectives, experience.draw, rollout, rewards, times);
}

LogRatios OnlineTrainer::ratios_of(
    const Experience& experience, FirstPass* first, StepTimes& times) {
  std::optional<ItemRange> slices;
  if (ranks_) slices = ranks_->slices();
  LogRatios ratios = score_log_ratios(
      *inputs_.policy,
      experience.draw,
      experience.rollout,
      options_,
      times,
      first,
      slices);
  if (ranks_)
    ranks_->gather(ratios, experience.draw, experience.rollout, times);
  return ratios;
}

RolloutOptions OnlineTrainer::rollout_options(const StepPlan& plan) const {
  return {
      static_cast<std::uint64_t>(options_.seed),
      options_.max_new_tokens,
      steerings_per_step(),
      plan.memory.rows_at_once()};
}

void OnlineTrainer::make_advantages_of(
    Experience& experience, std::map<std::string, double>& metrics) {
  experience.advantages = make_advantages(
      experience.draw,
      experience.rollout,
      experience.rewards,
      experience.ratios,
      values_ ? values_->of_prompts() : at::Tensor(),
      options_,
      combiner_);
  if (values_) values_->make_token_advantages(experience, combiner_);
  if (options_.algorithm == Algorithm::kOnlineDpo)
    add_preference_advantages(experience, options_, metrics);
}

void OnlineTrainer::learn(
    const Experience& experience, FirstPass* first, StepResult& result) {
  const UpdateRule rule = options_.rule();
  const double share = 1.0 / static_cast<double>(rule.passes * rule.updates);
  const auto& every = options_.gradient_cosine_every;
  const bool compare = every && (step_ + 1) % *every == 0;
  const auto report_cosines = [&](bool keep_gradient) {
    Experience whole = experience;
    // Every rank takes these gradients of all rows.
    if (ranks_) whole.rollout.features.reset();
    report_gradient_cosines(
        *inputs_.policy,
        whole,
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
  for (std::int64_t pass = 0; pass < rule.passes; ++pass) {
    for (Minibatch& batch : minibatches_of(experience, options_, pass)) {
      batch.on_policy = on_policy;
      if (ranks_) batch.slices = ranks_->slices();
      figures.add(take_gradient(
          experience, batch, on_policy ? first : nullptr, result.times));
      if (compare && first && on_policy) report_cosines(true);
      if (values_) values_->learn(experience, batch, share, result);
      update(batch, share, result);
      on_policy = false;
    }
  }
  report_clip(figures, result.metrics);
}

ClipFigures OnlineTrainer::take_gradient(
    const Experience& experience,
    const Minibatch& batch,
    FirstPass* first,
    StepTimes& times) {
  SteeredPolicy& policy = *inputs_.policy;
  if (!ranks_)
    return differentiate(policy, experience, batch, options_, times, first);
  gather_copies(experience.draw, times);
  GradientShare share;
  differentiate(policy, experience, batch, options_, times, first, &share);
  put_gradient(
      policy,
      experience.draw,
      batch,
      ranks_->sum(std::move(share.slices), times));
  return ranks_->sum(share.figures, times);
}

// Where nothing is learned the optimizer does not move either: its moments
// would go on in the direction of earlier steps.
void OnlineTrainer::update(
    const Minibatch& batch, double share, StepResult& result) {
  const Stopwatch watch(result.times.optimizer);
  const bool warm = !values_ || step_ >= options_.value.warmup_steps;
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

const ValueLearner* OnlineTrainer::value() const {
  return values_ ? &values_->learner() : nullptr;
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
  state.masters_in_parts = inputs_.policy->conditioning()->ranks().size > 1;
  state.optimizer = optimizer_->export_state();
  state.sampler = sampler_->state();
  state.rewards = combiner_.state();
  if (values_) values_->save(state);
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
  if (values_) values_->restore(state);
  restore_masters(state.masters, *inputs_.policy->conditioning());
}

}  // namespace moft
