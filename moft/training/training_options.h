// The training loop's settings, in the order of a step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/algorithms/choices.h"
#include "moft/algorithms/kl_estimator.h"
#include "moft/core/fields.h"
#include "moft/training/algorithms/grpo.h"
#include "moft/training/algorithms/online_dpo.h"
#include "moft/training/algorithms/ppo.h"
#include "moft/training/steering_options.h"
#include "moft/training/update_options.h"
#include "moft/training/value_options.h"
#include "moft/weightings/scalarisation_options.h"

namespace moft {

enum class Baseline { kBatchMean, kGroupMean, kLeaveOneOut, kValue };
constexpr auto enum_names(Baseline) {
  return EnumNames<Baseline, 4>{{
      {Baseline::kBatchMean, "batch_mean"},
      {Baseline::kGroupMean, "group_mean"},
      {Baseline::kLeaveOneOut, "leave_one_out"},
      {Baseline::kValue, "value"},
  }};
}

constexpr auto enum_names(KlEstimator) {
  return EnumNames<KlEstimator, 8>{{
      {KlEstimator::kSequence, "sequence"},
      {KlEstimator::kRewardToGo, "reward_to_go"},
      {KlEstimator::kTokenExact, "token_exact"},
      {KlEstimator::kTokenDirect, "token_direct"},
      {KlEstimator::kTokenK3, "token_k3"},
      {KlEstimator::kSequenceK2, "sequence_k2"},
      {KlEstimator::kSequenceK3, "sequence_k3"},
      {KlEstimator::kNone, "none"},
  }};
}

// A non-finite loss, gradient or reward always stops the run.
struct GuardOptions {
  std::optional<double> kl_ceiling = 200.0;
  std::optional<double> distinct_floor = 0.1;
  std::int64_t patience = 3;

  template <class V>
  void fields(V& v) {
    v("kl_ceiling",
      kl_ceiling,
      Help{
          "stop when the mean KL of a step's completions stays above this; "
          "null: never",
          "nats per completion"},
      above(0));
    v("distinct_floor",
      distinct_floor,
      Help{"stop when the share of distinct completions in a step stays below "
           "this (collapse); null: never"},
      between(0, 1));
    v("patience",
      patience,
      Help{
          "number of steps in a row that break a guard before it stops the "
          "run",
          "steps"},
      at_least(1));
  }
};

struct TrainingEvaluationOptions {
  std::optional<std::int64_t> every;
  std::int64_t weightings = 3;
  std::int64_t prompts = 16;

  template <class V>
  void fields(V& v) {
    v("every",
      every,
      Help{"evaluate every N steps; null: never during training", "steps"},
      at_least(1));
    v("weightings",
      weightings,
      Help{"points of the front, spread evenly over the simplex", "weightings"},
      at_least(1));
    v("prompts",
      prompts,
      Help{"held-out prompts used, from the first", "prompts"},
      at_least(1));
  }
};

// What to change when a step does not fit into memory.
inline constexpr const char* kTrainingMemoryCure =
    "lower training.prompts_per_step, training.samples_per_prompt or "
    "training.max_new_tokens, lower training.memory_budget, or take a smaller "
    "model";

struct TrainingOptions : UpdateOptions, SteeringOptions {
  Algorithm algorithm = Algorithm::kReinforce;
  GrpoOptions grpo;
  PpoOptions ppo;
  OnlineDpoOptions online_dpo;
  std::int64_t prompts_per_step = 6;
  std::int64_t samples_per_prompt = 4;
  KlEstimator kl_estimator = KlEstimator::kSequence;
  std::int64_t max_new_tokens = 32;
  double missing_eos_penalty = 0.0;
  std::int64_t missing_eos_penalty_warmup_steps = 0;
  Baseline baseline = Baseline::kLeaveOneOut;
  ValueOptions value;
  AdvantageNormalisation advantage_normalisation =
      AdvantageNormalisation::kBatch;
  ScalarisationOptions scalarisation;
  RewardAggregation multi_objective_aggregation =
      RewardAggregation::kSumThenNormalize;
  RewardStandardisation reward_standardisation = RewardStandardisation::kNone;
  std::optional<std::int64_t> gradient_cosine_every;
  GuardOptions guards;
  TrainingEvaluationOptions evaluation;
  std::optional<std::int64_t> log_samples;

  template <class V>
  void fields(V& v) {
    v("seed", seed, Help{"random seed"}, at_least(0));
    v("steps",
      steps,
      Help{"number of updates of the policy", "steps"},
      between(1, 1e9));
    v("epochs",
      epochs,
      Help{
          "instead of steps: passes over the training examples that are left "
          "when the too long ones are skipped; steps = epochs times examples "
          "/ prompts_per_step, rounded up",
          "epochs"},
      above_up_to(0, 1e6));
    v("algorithm",
      algorithm,
      Help{"how the policy learns from a step's rewards; reinforce: one update "
           "without a ratio, as in the paper, grpo: clipped ratios and "
           "token-weighted losses, ppo: clipped ratios, and a value for each "
           "token, online_dpo: preferences among the completions of a prompt "
           "(docs/algorithms.md)"});
    v("grpo", grpo, Help{"with algorithm: grpo"});
    v("ppo", ppo, Help{"with algorithm: ppo"});
    v("online_dpo", online_dpo, Help{"with algorithm: online_dpo"});
    v("prompts_per_step",
      prompts_per_step,
      Help{"number of prompts in a step", "prompts"},
      between(1, 1e6));
    v("samples_per_prompt",
      samples_per_prompt,
      Help{"number of completions sampled for each prompt", "completions"},
      between(1, 1e6));
    steering_fields(
        v,
        Help{"how many weightings a step draws; batch: one, as in the paper, "
             "prompt: one per prompt"},
        Help{
            "KL strength alpha in (1 - alpha) w.R - alpha KL; if kl_sampler is "
            "not fixed, this is only the default of requests that give no "
            "alpha"});
    v("kl_estimator",
      kl_estimator,
      Help{"how the KL enters the gradient. Unbiased: sequence (the log ratio "
           "of the whole completion in its reward), reward_to_go (the log "
           "ratios of each token and the ones after it in the token's reward), "
           "token_exact (the KL of each token's whole distribution, "
           "differentiated, and the KLs after it in the token's reward). "
           "Biased: token_k3 (in the loss, as TRL's GRPO), and for study "
           "token_direct, sequence_k2, sequence_k3, none"});
    v("max_new_tokens",
      max_new_tokens,
      Help{"longest completion; a longer one is truncated", "tokens"},
      between(1, 1e6));
    v("missing_eos_penalty",
      missing_eos_penalty,
      Help{
          "subtracted from the training reward of a truncated completion "
          "(TRL's option of this name); rewards in logs and reports do not "
          "contain it; 0: none",
          "reward"},
      at_least(0));
    v("missing_eos_penalty_warmup_steps",
      missing_eos_penalty_warmup_steps,
      Help{
          "number of steps over which the penalty rises linearly; 0: the full "
          "penalty from the first step",
          "steps"},
      at_least(0));
    v("baseline",
      baseline,
      Help{"what is subtracted from a completion's reward; leave_one_out: the "
           "mean of the other completions of its prompt, group_mean: of all of "
           "them, as GRPO, value: the prediction of a value network, as in the "
           "paper; algorithm: ppo has values of its own"});
    v("value",
      value,
      Help{"the value network, with baseline: value or algorithm: ppo"});
    v("advantage_normalisation",
      advantage_normalisation,
      Help{"advantages are divided by the standard deviation of the batch, of "
           "their prompt's group, or not at all"});
    v("scalarisation",
      scalarisation,
      Help{"how a weighting makes one number of several rewards"});
    v("multi_objective_aggregation",
      multi_objective_aggregation,
      Help{"sum_then_normalize: rewards are weighted and summed as they are; "
           "normalize_then_sum: each objective is first normalised over the "
           "completions of its prompt (TRL's option of this name; biased)"});
    v("reward_standardisation",
      reward_standardisation,
      Help{"running: each objective's reward minus its mean, by its standard "
           "deviation, both over all earlier steps; none: the mapped reward"});
    v("gradient_cosine_every",
      gradient_cosine_every,
      Help{
          "every N steps, log the cosines between the gradients of the single "
          "objectives, for one more pass per objective; null: never",
          "steps"},
      at_least(1));
    update_fields(v);
    v("guards", guards, Help{"when to stop a run that has gone wrong"});
    v("evaluation", evaluation, Help{"the front while training"});
    v("checkpoint", checkpoint, Help{"saved states to resume from"});
    v("log_samples",
      log_samples,
      Help{
          "number of completions of a step written to samples.jsonl; null: "
          "all",
          "completions"},
      at_least(0));
  }

  // CallerError, with `path` before the keys, for settings that do not go
  // together.
  void check(const std::string& path) const;

  // How the algorithm updates the policy.
  UpdateRule rule() const;
  bool has_value_network() const {
    return rule().values_tokens || baseline == Baseline::kValue;
  }
  // Whether rewards are compared with those of other completions of a prompt.
  bool compares_samples() const {
    return !rule().values_tokens && baseline == Baseline::kLeaveOneOut;
  }
};

// The penalty at a step, which counts from 0:
// missing_eos_penalty min(1, (step + 1) / warm-up steps).
double missing_eos_penalty_at(
    const TrainingOptions& options, std::int64_t step);

}  // namespace moft
