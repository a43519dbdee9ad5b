#include "moft/training/online.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/adamw.h"
#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/clip.h"
#include "moft/algorithms/reinforce.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/schedule.h"
#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"
#include "moft/kernels/token_log_probs.h"

namespace moft {
namespace {

// Adds the seconds of its own life to a counter.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds)
      : seconds_(seconds), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
            .count();
  }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_;
};

at::Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

std::vector<double> to_doubles(const at::Tensor& values) {
  const at::Tensor flat =
      values.detach().to(at::kCPU).to(at::kDouble).contiguous();
  const double* data = flat.const_data_ptr<double>();
  return {data, data + flat.numel()};
}

at::Tensor prompt_labels(const StepBatch& batch) {
  std::vector<std::int64_t> labels;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    labels.push_back(static_cast<std::int64_t>(r) / batch.samples_per_prompt);
  }
  return at::tensor(labels, at::kLong);
}

// Tokens of conditioning.prompt, measured on the corners and, for numbers of
// two decimals, between them.
std::int64_t longest_prompt_words(const SteeredPolicy& policy) {
  const std::size_t m = policy.objectives().size();
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < m; ++i) {
    std::vector<double> weights(
        m, m > 1 ? 0.23 / static_cast<double>(m - 1) : 0);
    weights[i] = m > 1 ? 0.77 : 1.0;
    for (const Weighting& w : {Weighting::corner(m, i), Weighting(weights)}) {
      const Steering steering{w, policy.default_alpha()};
      const auto ids = policy.conditioned_prompt({}, steering);
      longest = std::max(longest, static_cast<std::int64_t>(ids.size()));
    }
  }
  return longest;
}

LearningRateSchedule schedule_of(const TrainingOptions& options) {
  LearningRateSchedule schedule;
  schedule.shape = parse_schedule_shape(enum_name(options.schedule.kind));
  schedule.learning_rate = options.optimizer.learning_rate;
  schedule.warmup_steps = options.schedule.warmup_steps;
  schedule.total_steps = options.steps;
  schedule.final_fraction = options.schedule.final_fraction;
  return schedule;
}

AdamWOptions adamw_of(const OptimizerOptions& options) {
  AdamWOptions adamw;
  adamw.beta1 = options.betas[0];
  adamw.beta2 = options.betas[1];
  adamw.epsilon = options.epsilon;
  adamw.weight_decay = options.weight_decay;
  adamw.dense = options.zero_coefficient == ZeroCoefficient::kDense;
  return adamw;
}

AdafactorOptions adafactor_of(const OptimizerOptions& options) {
  const AdafactorSettings& settings = options.adafactor;
  AdafactorOptions adafactor;
  adafactor.decay_rate = settings.decay_rate;
  adafactor.clipping_threshold = settings.clipping_threshold;
  adafactor.multiply_by_parameter_scale = settings.multiply_by_parameter_scale;
  adafactor.min_dim_size_to_factor = settings.min_dim_size_to_factor;
  adafactor.dense = options.zero_coefficient == ZeroCoefficient::kDense;
  return adafactor;
}

std::unique_ptr<Optimizer> make_optimizer(
    std::vector<TrainedTensor> parameters, const OptimizerOptions& options) {
  if (options.kind == OptimizerKind::kAdafactor) {
    return std::make_unique<Adafactor>(
        std::move(parameters), adafactor_of(options));
  }
  return std::make_unique<AdamW>(std::move(parameters), adamw_of(options));
}

}  // namespace

OnlineTrainer::OnlineTrainer(
    TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler)
    : inputs_(inputs),
      options_(std::move(options)),
      sampler_(std::move(sampler)),
      shuffler_(
          static_cast<std::uint64_t>(options_.seed), inputs.examples->size()),
      template_(inputs.policy->definition().prompt_template) {
  template_.check(*inputs_.examples);
  const std::int64_t words = longest_prompt_words(*inputs_.policy);
  for (const Example& example : *inputs_.examples) {
    prompts_.push_back(
        encode_prompt(template_, example, inputs_.policy->tokenizer()));
    const auto length = static_cast<std::int64_t>(prompts_.back().size());
    if (length + words > inputs_.max_prompt_tokens) {
      throw_caller_error(
          "{}: the prompt has {} tokens{}, more than data.max_prompt_tokens = "
          "{}; shorten the example or raise the limit",
          example.where,
          length,
          words == 0 ? std::string()
                     : " behind " + std::to_string(words) +
                           " of the weighting's words",
          inputs_.max_prompt_tokens);
    }
  }
  if (options_.kl_sampler != AlphaDistribution::kFixed) {
    alpha_sampler_.emplace(options_.kl_sampler, inputs_.policy->kl_range());
  }
  std::vector<TrainedTensor> parameters;
  for (const auto& entry : inputs_.policy->conditioning()->trained()) {
    parameters.push_back({entry.name, entry.master, entry.decays});
  }
  optimizer_ = make_optimizer(std::move(parameters), options_.optimizer);
}

StepResult OnlineTrainer::step() {
  StepResult result;
  result.step = step_ + 1;
  StepBatch batch = draw();
  roll_out(batch, result.times);
  score_rewards(batch, result.times);
  update(batch, result);
  optimize(result);
  report(batch, result);
  ++step_;
  return result;
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
    batch.prompts.push_back(inputs_.policy->conditioned_prompt(
        batch.plain_prompts.back(), steering));
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
  Generations generations = generate(policy.model(), request, options);
  batch.rows = std::move(generations.rows);
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

at::Tensor OnlineTrainer::policy_log_probs(
    const StepPart& part, StepBatch& batch, bool last_use) const {
  LanguageModel& model = inputs_.policy->model();
  const at::Device device = model.steerable().parameters.at(0)->device();
  const auto steering =
      RowSteering::per_row(part.coefficients, part.coefficients_of, device);
  const at::Tensor logits = model.completion_logits(part.score, steering);
  const double inverse_temperature = 1.0 / inputs_.policy->temperature();
  const auto lengths = at::tensor(part.lengths, at::kLong);
  const auto entropy = to_doubles(sum_packed(
      kernels::entropy(logits.detach(), inverse_temperature).to(at::kCPU),
      lengths));
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    batch.entropy[part.rows[i]] =
        entropy[i] / static_cast<double>(part.lengths[i]);
  }
  return kernels::selected_log_probs(
      logits,
      at::tensor(part.targets, at::kLong).to(device),
      {.inverse_temperature = inverse_temperature,
       .overwrite_logits = last_use});
}

at::Tensor OnlineTrainer::reference_log_probs(const StepPart& part) const {
  at::NoGradGuard no_gradient;
  LanguageModel& model = inputs_.policy->model();
  const auto objectives = static_cast<std::int64_t>(inputs_.objectives->size());
  const at::Tensor logits = model.completion_logits(
      part.reference_score, RowSteering::reference(objectives));
  return kernels::selected_log_probs(
      logits,
      at::tensor(part.targets, at::kLong).to(logits.device()),
      {.inverse_temperature = 1.0 / inputs_.policy->temperature(),
       .overwrite_logits = false});
}

void OnlineTrainer::set_log_ratios(
    const StepPart& part,
    const at::Tensor& policy,
    const at::Tensor& reference,
    StepBatch& batch) const {
  const auto lengths = at::tensor(part.lengths, at::kLong);
  const at::Tensor scored = policy.detach().to(at::kCPU);
  const at::Tensor difference =
      scored.to(at::kDouble) - reference.to(at::kCPU).to(at::kDouble);
  const auto ratios = to_doubles(sum_packed(difference, lengths));
  std::vector<float> sampled;
  for (const std::size_t r : part.rows) {
    const auto& row = batch.rows[r].log_probs;
    sampled.insert(sampled.end(), row.begin(), row.end());
  }
  const at::Tensor gap = (at::tensor(sampled) - scored).abs();
  const auto gaps = to_doubles(sum_packed(gap, lengths));
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    batch.log_ratio[part.rows[i]] = ratios[i];
    batch.rollout_gap[part.rows[i]] = gaps[i];
  }
}

void OnlineTrainer::set_advantages(StepBatch& batch) const {
  const auto rows = static_cast<std::int64_t>(batch.rows.size());
  const auto objectives = static_cast<std::int64_t>(inputs_.objectives->size());
  at::Tensor rewards = at::empty({rows, objectives}, at::kDouble);
  at::Tensor weights = at::empty({rows, objectives}, at::kDouble);
  std::vector<double> alphas;
  for (std::int64_t r = 0; r < rows; ++r) {
    const Steering& steering =
        batch.steerings[static_cast<std::size_t>(r / batch.samples_per_prompt)];
    alphas.push_back(steering.alpha);
    for (std::int64_t i = 0; i < objectives; ++i) {
      const auto place = static_cast<std::size_t>(i);
      rewards.data_ptr<double>()[r * objectives + i] =
          batch.scores.mapped[static_cast<std::size_t>(r)][place];
      weights.data_ptr<double>()[r * objectives + i] = steering.w[place];
    }
  }
  const double penalty = missing_eos_penalty_at(options_, step_);
  std::vector<double> penalties;
  for (const Generation& row : batch.rows) {
    penalties.push_back(row.finished ? 0.0 : penalty);
  }
  const at::Tensor reward = regularised_reward(
      scalarise(rewards, weights), doubles(batch.log_ratio), doubles(alphas));
  const at::Tensor penalised = reward - doubles(penalties);
  const at::Tensor groups = prompt_labels(batch);
  const at::Tensor baseline = options_.baseline == Baseline::kLeaveOneOut
                                  ? leave_one_out_baseline(penalised, groups)
                                  : batch_mean_baseline(penalised);
  const auto kind =
      parse_normalisation(enum_name(options_.advantage_normalisation));
  batch.reward = to_doubles(reward);
  batch.advantage =
      to_doubles(normalise_advantages(penalised - baseline, kind, groups));
}

void OnlineTrainer::backward(
    const StepPart& part, const at::Tensor& log_probs, const StepBatch& batch) {
  std::vector<double> advantages;
  for (const std::size_t r : part.rows) {
    advantages.push_back(batch.advantage[r]);
  }
  const at::Tensor sequence = sum_packed(
      log_probs, at::tensor(part.lengths, at::kLong).to(log_probs.device()));
  const at::Tensor loss = reinforce_loss(
      sequence,
      doubles(advantages).to(log_probs.device()),
      static_cast<double>(batch.rows.size()));
  loss.backward();
}

// One part: the policy's forward pass serves rewards and gradient alike.
// Several: rewards need all log-ratios before the first gradient, so each
// part is scored once without and once with gradient.
void OnlineTrainer::update(StepBatch& batch, StepResult& result) {
  Conditioning& conditioning = *inputs_.policy->conditioning();
  conditioning.zero_gradient();
  conditioning.note_steerings(batch.coefficients);
  batch.log_ratio.resize(batch.rows.size());
  batch.rollout_gap.resize(batch.rows.size());
  batch.entropy.resize(batch.rows.size());
  const std::vector<StepPart> parts = split_step(
      batch, options_.gradient_accumulation, conditioning.mixes_rows());
  const bool single = parts.size() == 1;
  if (!single) {
    for (const StepPart& part : parts) {
      at::NoGradGuard no_gradient;
      at::Tensor policy;
      {
        const Stopwatch watch(result.times.policy);
        policy = policy_log_probs(part, batch, false);
      }
      const Stopwatch watch(result.times.reference);
      set_log_ratios(part, policy, reference_log_probs(part), batch);
    }
    set_advantages(batch);
  }
  for (const StepPart& part : parts) {
    at::Tensor reference;
    if (single) {
      const Stopwatch watch(result.times.reference);
      reference = reference_log_probs(part);
    }
    const Stopwatch watch(result.times.policy);
    const Coefficients& c = part.coefficients.front();
    conditioning.begin_gradient(c);
    const at::Tensor policy = policy_log_probs(part, batch, true);
    if (single) {
      set_log_ratios(part, policy, reference, batch);
      set_advantages(batch);
    }
    backward(part, policy, batch);
    conditioning.end_gradient(c);
  }
}

void OnlineTrainer::optimize(StepResult& result) {
  const Stopwatch watch(result.times.optimizer);
  at::NoGradGuard no_gradient;
  Conditioning& conditioning = *inputs_.policy->conditioning();
  std::vector<ScaledGradient> gradients;
  for (const TrainedParameter& entry : conditioning.trained()) {
    gradients.push_back({entry.gradient, entry.coefficient});
  }
  const ClippedNorm clipped = clip_by_global_norm(
      optimizer_->parameters(), gradients, options_.gradient_clip);
  const double rate = learning_rate_at(schedule_of(options_), step_);
  optimizer_->step(gradients, rate, clipped.factor);
  conditioning.masters_changed();
  result.metrics["grad_norm"] = clipped.norm;
  result.metrics["learning_rate"] = rate;
}

TrainerState OnlineTrainer::state() const {
  return {step_, shuffler_.cursor(), optimizer_->export_state()};
}

void OnlineTrainer::restore(const TrainerState& state) {
  step_ = state.step;
  shuffler_.seek(state.cursor);
  optimizer_->import_state(state.optimizer);
}

}  // namespace moft
