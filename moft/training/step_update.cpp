// The second half of a training step: from completions and their rewards to
// new parameters.
#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/clip.h"
#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/schedule.h"
#include "moft/algorithms/token_sums.h"
#include "moft/algorithms/values.h"
#include "moft/kernels/token_log_probs.h"
#include "moft/training/apply_update.h"
#include "moft/training/online.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

at::Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

std::vector<double> to_doubles(const at::Tensor& values) {
  const at::Tensor flat =
      values.detach().to(at::kCPU).to(at::kDouble).contiguous();
  const double* data = flat.const_data_ptr<double>();
  return {data, data + flat.numel()};
}

at::Tensor long_tensor(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

at::Tensor prompt_labels(const StepBatch& batch) {
  std::vector<std::int64_t> labels;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    labels.push_back(static_cast<std::int64_t>(r) / batch.samples_per_prompt);
  }
  return long_tensor(labels);
}

// Mapped rewards, [B, m].
at::Tensor rewards_of(const StepBatch& batch) {
  std::vector<at::Tensor> rows;
  for (const auto& rewards : batch.scores.mapped)
    rows.push_back(doubles(rewards));
  return at::stack(rows);
}

// The weighting of each row [B, m] and its KL strength [B].
struct RowKnobs {
  at::Tensor weights;
  at::Tensor alphas;
};

RowKnobs knobs_of(const StepBatch& batch) {
  std::vector<at::Tensor> weights;
  std::vector<double> alphas;
  for (const Steering& steering : batch.steerings) {
    weights.push_back(doubles(steering.w.values()));
    alphas.push_back(steering.alpha);
  }
  const std::int64_t samples = batch.samples_per_prompt;
  return {
      at::stack(weights).repeat_interleave(samples, 0),
      doubles(alphas).repeat_interleave(samples, 0)};
}

// Values of each row, [B, m or 1].
at::Tensor values_by_row(const StepBatch& batch) {
  return batch.values.repeat_interleave(batch.samples_per_prompt, 0);
}

at::Tensor pick(
    const std::vector<double>& values, const std::vector<std::size_t>& rows) {
  std::vector<double> picked;
  for (const std::size_t r : rows)
    picked.push_back(values[r]);
  return doubles(picked);
}

// The part's credits, row after row; undefined when there are none.
at::Tensor credit_of(const StepPart& part, const StepBatch& batch) {
  std::vector<double> packed;
  for (const std::size_t r : part.rows) {
    const auto& row = batch.token_credit[r];
    packed.insert(packed.end(), row.begin(), row.end());
  }
  return packed.empty() ? at::Tensor() : doubles(packed);
}

const std::vector<TokenIds>& value_prompts(
    const StepBatch& batch, const ValueOptions& options) {
  return options.prompt == ValuePrompt::kConditioned ? batch.prompts
                                                     : batch.plain_prompts;
}

}  // namespace

// With one part the rollout's pass over the prompts is the one that is
// differentiated, so the parameters it reads are leaves from the start.
void OnlineTrainer::begin_update(StepBatch& batch) {
  Conditioning& conditioning = *inputs_.policy->conditioning();
  conditioning.zero_gradient();
  conditioning.note_steerings(batch.coefficients);
  batch.one_part = is_one_part(
      batch, options_.gradient_accumulation, conditioning.mixes_rows());
  if (batch.one_part) conditioning.begin_gradient(batch.coefficients.front());
}

// Rewards need the log-ratios of all rows before the first gradient. So every
// part but the first is scored once without and once with gradient; the first
// comes last in the first round, where its one pass serves both.
void OnlineTrainer::update(StepBatch& batch, StepResult& result) {
  Conditioning& conditioning = *inputs_.policy->conditioning();
  batch.log_ratio.resize(batch.rows.size());
  batch.rollout_gap.resize(batch.rows.size());
  batch.entropy.resize(batch.rows.size());
  batch.reward_kl.resize(batch.rows.size());
  batch.token_credit.resize(batch.rows.size());
  predict_values(batch, result.times);
  const std::vector<StepPart> parts = split_step(
      batch, options_.gradient_accumulation, conditioning.mixes_rows());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const at::NoGradGuard no_gradient;
    PartScores scores;
    score_part(parts[i], batch, scores, result.times);
    set_log_ratios(parts[i], scores, batch);
  }
  for (const StepPart& part : parts) {
    const bool first = &part == &parts.front();
    const Coefficients& c = part.coefficients.front();
    if (!batch.one_part) conditioning.begin_gradient(c);
    PartScores scores;
    score_part(part, batch, scores, result.times);
    const Stopwatch watch(result.times.policy);
    if (first) {
      set_log_ratios(part, scores, batch);
      set_advantages(batch);
    }
    backward(part, scores, batch);
    conditioning.end_gradient(c);
  }
  learn_values(batch, result);
}

// The reference's log-probabilities are wanted where log-ratios are, or where
// the KL itself is differentiated.
void OnlineTrainer::score_part(
    const StepPart& part,
    StepBatch& batch,
    PartScores& scores,
    StepTimes& times) const {
  const bool known = !batch.advantage.empty();
  if (!known || differentiates_kl(options_.kl_estimator)) {
    const Stopwatch watch(times.reference);
    score_reference(part, scores);
  }
  const Stopwatch watch(times.policy);
  score_policy(part, batch, scores, at::GradMode::is_enabled());
}

// The targets of single objectives are known before the policy is scored, so
// one pass of the network predicts and learns.
void OnlineTrainer::predict_values(StepBatch& batch, StepTimes& times) {
  if (!value_) return;
  const Stopwatch watch(times.value);
  const auto& prompts = value_prompts(batch, options_.value);
  const std::int64_t parts = options_.gradient_accumulation;
  if (options_.value.target == ValueTarget::kReward) {
    batch.values = value_->predict(prompts, parts);
    return;
  }
  batch.values = value_->learn(
      {prompts, rewards_of(batch), batch.samples_per_prompt, parts});
}

void OnlineTrainer::learn_values(const StepBatch& batch, StepResult& result) {
  if (!value_) return;
  const Stopwatch watch(result.times.value);
  const bool objectives = options_.value.target == ValueTarget::kObjectives;
  const at::Tensor targets = objectives
                                 ? rewards_of(batch)
                                 : doubles(batch.trained_reward).unsqueeze(1);
  if (!objectives) {
    value_->learn(
        {value_prompts(batch, options_.value),
         targets,
         batch.samples_per_prompt,
         options_.gradient_accumulation});
  }
  const at::Tensor values = values_by_row(batch);
  auto& metrics = result.metrics;
  metrics["value/loss"] =
      value_loss(values, targets, static_cast<double>(targets.numel()))
          .item<double>();
  metrics["value/explained_variance"] = explained_variance(values, targets);
  const auto means = to_doubles(values.mean(0));
  const auto& names = inputs_.objectives->names();
  for (std::size_t i = 0; i < means.size(); ++i)
    metrics["value/" + (objectives ? names[i] : "reward") + "/mean"] = means[i];
}

void OnlineTrainer::score_reference(
    const StepPart& part, PartScores& scores) const {
  at::NoGradGuard no_gradient;
  LanguageModel& model = inputs_.policy->model();
  const at::Tensor logits = model.completion_logits(
      part.reference_score,
      RowSteering::uniform(Coefficients::frozen_reference()));
  scores.reference_log_probs = kernels::selected_log_probs(
      logits,
      long_tensor(part.targets).to(logits.device()),
      {.inverse_temperature = 1.0 / inputs_.policy->temperature(),
       .overwrite_logits = false});
  if (differentiates_kl(options_.kl_estimator))
    scores.reference_logits = logits;
}

void OnlineTrainer::score_policy(
    const StepPart& part,
    StepBatch& batch,
    PartScores& scores,
    bool last_use) const {
  LanguageModel& model = inputs_.policy->model();
  const at::Device device = model.device();
  const auto steering =
      RowSteering::per_row(part.coefficients, part.coefficients_of, device);
  const at::Tensor logits = model.completion_logits(part.score, steering);
  const double inverse_temperature = 1.0 / inputs_.policy->temperature();
  const auto entropy = to_doubles(sum_packed(
      kernels::entropy(logits.detach(), inverse_temperature).to(at::kCPU),
      long_tensor(part.lengths)));
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    batch.entropy[part.rows[i]] =
        entropy[i] / static_cast<double>(part.lengths[i]);
  }
  const bool direct = differentiates_kl(options_.kl_estimator);
  if (direct) {
    scores.kl = kernels::exact_kl(
        logits.detach(), scores.reference_logits, inverse_temperature);
  }
  if (direct && at::GradMode::is_enabled()) {
    scores.differentiable_kl =
        token_kl(logits, scores.reference_logits, inverse_temperature);
  }
  scores.log_probs = kernels::selected_log_probs(
      logits,
      long_tensor(part.targets).to(device),
      {.inverse_temperature = inverse_temperature,
       .overwrite_logits = last_use && !direct});
}

void OnlineTrainer::set_log_ratios(
    const StepPart& part, const PartScores& scores, StepBatch& batch) const {
  const at::Tensor lengths = long_tensor(part.lengths);
  const at::Tensor scored = scores.log_probs.detach().to(at::kCPU);
  TokenKl tokens;
  tokens.log_ratio = scored.to(at::kDouble) -
                     scores.reference_log_probs.to(at::kCPU).to(at::kDouble);
  tokens.lengths = lengths;
  if (scores.kl.defined()) tokens.kl = scores.kl.to(at::kCPU);
  const auto ratios = to_doubles(sum_packed(tokens.log_ratio, lengths));
  const auto kls = to_doubles(reward_kl(options_.kl_estimator, tokens));
  const at::Tensor credit = token_credit(options_.kl_estimator, tokens);
  std::vector<float> sampled;
  for (const std::size_t r : part.rows) {
    const auto& row = batch.rows[r].log_probs;
    sampled.insert(sampled.end(), row.begin(), row.end());
  }
  const at::Tensor gap = (at::tensor(sampled) - scored).abs();
  const auto gaps = to_doubles(sum_packed(gap, lengths));
  std::int64_t first = 0;
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    const std::size_t r = part.rows[i];
    batch.log_ratio[r] = ratios[i];
    batch.rollout_gap[r] = gaps[i];
    batch.reward_kl[r] = kls[i];
    if (credit.defined()) {
      batch.token_credit[r] =
          to_doubles(credit.narrow(0, first, part.lengths[i]));
    }
    first += part.lengths[i];
  }
}

void OnlineTrainer::set_advantages(StepBatch& batch) const {
  const auto [weights, alphas] = knobs_of(batch);
  const double penalty = missing_eos_penalty_at(options_, step_);
  std::vector<double> penalties;
  for (const Generation& row : batch.rows) {
    penalties.push_back(row.finished ? 0.0 : penalty);
  }
  const at::Tensor scalar = scalarise(rewards_of(batch), weights);
  const at::Tensor trained =
      regularised_reward(scalar, doubles(batch.reward_kl), alphas) -
      doubles(penalties);
  const at::Tensor groups = prompt_labels(batch);
  at::Tensor baseline;
  if (options_.baseline == Baseline::kLeaveOneOut) {
    baseline = leave_one_out_baseline(trained, groups);
  } else if (!value_) {
    baseline = batch_mean_baseline(trained);
  } else if (options_.value.target == ValueTarget::kReward) {
    baseline = values_by_row(batch).select(1, 0);
  } else {
    baseline = value_baseline(
        values_by_row(batch), weights, alphas, options_.value.scale);
  }
  const NormalisedAdvantages result = make_advantages(
      {trained, baseline, groups, options_.baseline == Baseline::kLeaveOneOut},
      options_.advantage_normalisation);
  batch.reward =
      to_doubles(regularised_reward(scalar, doubles(batch.log_ratio), alphas));
  batch.trained_reward = to_doubles(trained);
  batch.advantage = to_doubles(result.advantages);
  batch.kl_weight = to_doubles(alphas / result.divisor);
  // The KL left out: do the objectives tell completions apart?
  batch.share_of_ties = share_of_ties(scalar - doubles(penalties), groups);
}

void OnlineTrainer::backward(
    const StepPart& part, const PartScores& scores, const StepBatch& batch) {
  PolicyLoss terms;
  terms.log_probs = scores.log_probs;
  terms.lengths = long_tensor(part.lengths);
  terms.advantages = pick(batch.advantage, part.rows);
  terms.kl_weight = pick(batch.kl_weight, part.rows);
  terms.credit = credit_of(part, batch);
  terms.kl = scores.differentiable_kl;
  policy_loss(terms, static_cast<double>(batch.rows.size())).backward();
}

void OnlineTrainer::optimize(StepResult& result) {
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

}  // namespace moft
