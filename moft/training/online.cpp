// Online training, step by step.
#include "moft/training/online.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/data/answer_end.h"
#include "moft/data/fit_prompts.h"
#include "moft/training/apply_update.h"
#include "moft/training/stopwatch.h"

namespace moft {

OnlineTrainer::OnlineTrainer(
    TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler)
    : inputs_(inputs),
      options_(std::move(options)),
      sampler_(std::move(sampler)),
      shuffler_(
          static_cast<std::uint64_t>(options_.seed), inputs.examples->size()),
      template_(inputs.policy->info().prompt.parsed()) {
  require_end_token(inputs_.policy->model().info().end_tokens);
  template_.check(*inputs_.examples);
  PromptLimits limits;
  limits.prompt = inputs_.max_prompt_tokens;
  limits.context = inputs_.policy->model().info().context;
  limits.answer = options_.max_new_tokens;
  limits.answer_key = "training.max_new_tokens";
  limits.words = longest_prompt_words(
      inputs_.policy->info().prompt, inputs_.policy->tokenizer());
  PromptFitter fitter(template_, inputs_.policy->tokenizer(), TooLong::kError);
  for (Example example : *inputs_.examples)
    prompts_.push_back(fitter.fit(example, limits).value_or(TokenIds{}));
  fitter.finish();
  if (options_.kl_sampler != AlphaDistribution::kFixed) {
    alpha_sampler_.emplace(options_.kl_sampler, inputs_.policy->kl_range());
  }
  optimizer_ =
      make_optimizer(*inputs_.policy->conditioning(), options_.optimizer);
  if (options_.baseline == Baseline::kValue) make_value_learner();
}

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

StepResult OnlineTrainer::step() {
  StepResult result;
  result.step = step_ + 1;
  StepBatch batch = draw();
  begin_update(batch);
  roll_out(batch, result.times);
  score_rewards(batch, result.times);
  update(batch, result);
  optimize(result);
  report(batch, result);
  ++step_;
  return result;
}

Prompt OnlineTrainer::prompt(std::size_t example) const {
  return {prompts_[example], template_.fill((*inputs_.examples)[example])};
}

StepBatch OnlineTrainer::draw() {
  StepBatch batch;
  batch.samples_per_prompt = options_.samples_per_prompt;
  const auto count = static_cast<std::size_t>(options_.prompts_per_step);
  const std::size_t examples = inputs_.examples->size();
  std::vector<std::size_t> chosen;
  if (inputs_.shuffle) {
    chosen = shuffler_.next(count);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      chosen.push_back(
          (static_cast<std::size_t>(step_) * count + i) % examples);
    }
  }
  for (std::size_t p = 0; p < count; ++p) {
    const Steering steering = draw_steering(p);
    const Example& example = (*inputs_.examples)[chosen[p]];
    batch.examples.push_back(&example);
    batch.plain_prompts.push_back(prompts_[chosen[p]]);
    batch.prompts.push_back(
        inputs_.policy->conditioned_prompt(prompt(chosen[p]), steering));
    batch.prompt_texts.push_back(template_.render(example));
    batch.steerings.push_back(steering);
    batch.coefficients.push_back(inputs_.policy->coefficients_of(steering));
  }
  return batch;
}

// The weighting and the KL strength come from streams of their own, so that
// either is the same whether the other is drawn or fixed.
Steering OnlineTrainer::draw_steering(std::size_t prompt) const {
  const bool per_prompt = options_.weighting_per == WeightingPer::kPrompt;
  const auto seed = static_cast<std::uint64_t>(options_.seed);
  const auto step = static_cast<std::uint32_t>(step_);
  const auto row = static_cast<std::uint32_t>(per_prompt ? prompt : 0);
  RandomStream weights(seed, Purpose::kWeighting, step, row);
  Steering steering{sampler_.draw(weights), options_.kl_strength};
  if (alpha_sampler_) {
    RandomStream strength(seed, Purpose::kKlStrength, step, row);
    steering.alpha = alpha_sampler_->draw(strength);
  }
  return steering;
}

void OnlineTrainer::roll_out(StepBatch& batch, StepTimes& times) {
  const Stopwatch watch(times.rollout);
  SteeredPolicy& policy = *inputs_.policy;
  GenerateOptions options;
  options.max_new_tokens = options_.max_new_tokens;
  options.sampling.temperature = policy.temperature();
  options.end_tokens = policy.model().info().end_tokens;
  const std::size_t rows =
      batch.prompts.size() * static_cast<std::size_t>(batch.samples_per_prompt);
  options.rows_at_once = static_cast<std::int64_t>(rows);
  GenerateBatch request;
  request.prompts = batch.prompts;
  request.steerings = batch.coefficients;
  request.record_features = true;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto prompt = static_cast<std::int64_t>(r) / batch.samples_per_prompt;
    request.rows.push_back({prompt, prompt});
    request.keys.push_back(
        {static_cast<std::uint64_t>(options_.seed),
         Purpose::kToken,
         static_cast<std::uint32_t>(step_),
         static_cast<std::uint32_t>(r)});
  }
  request.keep_graph = batch.one_part;
  // Scoring works on one steering at a time.
  policy.expect_steerings(steerings_per_step(options_));
  Generations generations = generate(policy.model(), request, options);
  policy.expect_steerings(1);
  batch.rows = std::move(generations.rows);
  batch.prompt_graph = std::move(generations.prompt_graph);
  batch.features = std::move(generations.features);
  for (const Generation& row : batch.rows) {
    batch.texts.push_back(policy.text_of(row));
  }
}

void OnlineTrainer::score_rewards(StepBatch& batch, StepTimes& times) const {
  const Stopwatch watch(times.rewards);
  RewardBatch request;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    const std::size_t p =
        r / static_cast<std::size_t>(batch.samples_per_prompt);
    request.prompts.push_back(batch.prompt_texts[p]);
    request.completions.push_back(batch.texts[r]);
    const auto tokens = static_cast<std::int64_t>(batch.rows[r].tokens.size());
    request.token_counts.push_back(tokens - (batch.rows[r].finished ? 1 : 0));
    request.examples.push_back(batch.examples[p]);
  }
  batch.scores = inputs_.objectives->score(request);
}

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
  if (value_) {
    state.value = value_->masters();
    state.value_optimizer = value_->optimizer_state();
  }
  return state;
}

void OnlineTrainer::restore(const TrainerState& state) {
  step_ = state.step;
  shuffler_.seek(state.cursor);
  optimizer_->import_state(state.optimizer);
  if (value_) value_->restore(state.value, state.value_optimizer);
  restore_masters(state.masters, *inputs_.policy->conditioning());
}

}  // namespace moft
