// Algorithm 1 of CLP: the stages of an online step, in the paper's order.
#include "moft/training/online_step.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/expected_rewards.h"
#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/policy_loss.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/values.h"
#include "moft/core/log.h"
#include "moft/kernels/tensors.h"
#include "moft/training/step_rewards.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// ---- line 3: x ~ D, (alpha, w) ~ Q; line 4: theta from phi, alpha and w -----

Draw make_draw(
    const SteeredPolicy& policy,
    const TrainingPrompts& prompts,
    const std::vector<std::size_t>& chosen,
    std::vector<Steering> steerings,
    std::int64_t step,
    std::int64_t samples_per_prompt) {
  Draw draw;
  draw.step = step;
  draw.samples_per_prompt = samples_per_prompt;
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    const std::size_t example = chosen[p];
    const Steering& steering = steerings[p];
    draw.examples.push_back(&prompts.example(example));
    draw.plain_prompts.push_back(prompts.ids()[example]);
    const Prompt prompt = prompts.prompt(example);
    draw.prompts.push_back(policy.conditioned_prompt(prompt, steering));
    draw.turns.push_back(prompt.turns);
    draw.prompt_texts.push_back(prompts.text(example));
    draw.coefficients.push_back(policy.coefficients_of(steering));
  }
  draw.steerings = std::move(steerings);
  return draw;
}

// ---- line 5: y ~ pi(.|x; alpha, w) is roll_out(); R(x, y) -------------------

Scores score_rewards(
    const ObjectiveSet& objectives,
    const Draw& draw,
    const Rollout& rollout,
    StepTimes& times) {
  return StepRewards(objectives, draw).finish(rollout, times);
}

// ---- line 6: r = (1 - alpha) w.R - alpha (log pi - log ref) -----------------

namespace {

at::Tensor baseline_of(
    const at::Tensor& rewards,
    const at::Tensor& prompt_of_row,
    const at::Tensor& values,
    const at::Tensor& weights,
    const at::Tensor& alphas,
    const TrainingOptions& options,
    const RewardCombiner& combiner) {
  if (options.algorithm == Algorithm::kPpo) return at::zeros_like(rewards);
  if (options.baseline == Baseline::kLeaveOneOut)
    return leave_one_out_baseline(rewards, prompt_of_row);
  if (options.baseline == Baseline::kGroupMean)
    return group_mean_baseline(rewards, prompt_of_row);
  if (options.baseline == Baseline::kBatchMean)
    return batch_mean_baseline(rewards);
  const at::Tensor by_row = values.index_select(0, prompt_of_row);
  if (options.value.target == ValueTarget::kReward) return by_row.select(1, 0);
  return combiner.value_baseline(by_row, weights, alphas, options.value.scale);
}

// Rows of the update: those that are not skipped and whose prompt has `least`
// of them.
at::Tensor kept_rows(
    const Draw& draw,
    const std::vector<std::size_t>& skipped,
    std::int64_t least) {
  std::vector<std::int64_t> left(draw.prompts.size(), draw.samples_per_prompt);
  for (const std::size_t row : skipped)
    --left[draw.prompt_of(row)];
  std::vector<std::int64_t> kept;
  for (std::size_t row = 0; row < draw.rows(); ++row) {
    if (!std::binary_search(skipped.begin(), skipped.end(), row) &&
        (skipped.empty() || left[draw.prompt_of(row)] >= least))
      kept.push_back(static_cast<std::int64_t>(row));
  }
  return kernels::long_tensor(kept);
}

}  // namespace

Advantages make_advantages(
    const Draw& draw,
    const Rollout& rollout,
    const Scores& rewards,
    const LogRatios& ratios,
    const at::Tensor& values,
    const TrainingOptions& options,
    const RewardCombiner& combiner) {
  const bool left_out = options.compares_samples();
  const at::Tensor kept = kept_rows(
      draw,
      rewards.skipped,
      std::max<std::int64_t>(left_out ? 2 : 1, combiner.least_rows()));
  const auto of_kept = [&](const at::Tensor& rows) {
    return rewards.skipped.empty() ? rows : rows.index_select(0, kept);
  };
  const auto of_all = [&](const at::Tensor& rows, double absent) {
    return rewards.skipped.empty()
               ? rows
               : at::full({std::ssize(rollout.rows)}, absent, rows.options())
                     .index_copy(0, kept, rows);
  };
  if (kept.numel() == 0) {
    log_warning(
        "step {} changes nothing: {} of {} completions have no reward",
        draw.step + 1,
        rewards.skipped.size(),
        draw.rows());
    const at::Tensor none = at::empty({0}, at::kDouble);
    return {
        of_all(none, kNan),
        of_all(none, kNan),
        of_all(none, 0.0),
        of_all(none, 0.0),
        kept,
        /*share_of_ties=*/1.0};
  }
  const at::Tensor w = of_kept(draw.weights());
  const at::Tensor alpha = of_kept(draw.alphas());
  const at::Tensor prompts = of_kept(draw.prompt_of_row());
  const at::Tensor penalty =
      missing_eos_penalty_at(options, draw.step) * of_kept(rollout.truncated());
  const at::Tensor vectors = of_kept(rewards.mapped);
  const at::Tensor kl = of_kept(ratios.reward_kl);
  const ScalarRewards combined = combiner.combine(vectors, w, prompts);
  const at::Tensor& scalar = combined.value;
  const at::Tensor r = regularised_reward(scalar, kl, alpha) - penalty;
  const auto baseline = [&](const at::Tensor& of) {
    return baseline_of(of, prompts, values, w, alpha, options, combiner);
  };
  AdvantageTerms terms{
      r, {}, prompts, left_out || options.baseline == Baseline::kGroupMean};
  at::Tensor told_apart = scalar - penalty;
  if (combined.baseline.defined()) {
    // The rewards have their own baseline; what is left has the usual one.
    const at::Tensor rest =
        regularised_reward(at::zeros_like(scalar), kl, alpha) - penalty;
    terms.baseline =
        regularised_reward(combined.baseline, at::zeros_like(kl), alpha) +
        baseline(rest);
    const auto with = [&](const at::Tensor& column) {
      return tie_labels(at::cat({vectors, column.unsqueeze(1)}, 1), prompts);
    };
    terms.compared = with(rest);
    told_apart = with(penalty);
  } else {
    terms.baseline = baseline(r);
  }
  const NormalisedAdvantages a = make_advantages(
      terms,
      options.algorithm == Algorithm::kPpo ? AdvantageNormalisation::kNone
                                           : options.advantage_normalisation);
  return {
      of_all(regularised_reward(scalar, of_kept(ratios.sequence), alpha), kNan),
      of_all(r, kNan),
      of_all(a.advantages, 0.0),
      of_all(alpha / a.divisor, 0.0),
      kept,
      // The KL left out: do the objectives tell completions apart?
      share_of_ties(told_apart, prompts)};
}

// ---- line 7: phi += eta A grad log pi(y|x) ----------------------------------

namespace {

std::optional<RatioClip> clip_of(const TrainingOptions& options) {
  if (options.algorithm == Algorithm::kGrpo) {
    const GrpoOptions& grpo = options.grpo;
    return RatioClip{grpo.epsilon, grpo.epsilon_high.value_or(grpo.epsilon)};
  }
  if (options.algorithm == Algorithm::kPpo)
    return RatioClip{options.ppo.cliprange, options.ppo.cliprange};
  return std::nullopt;
}

// -(1 / normaliser) sum_y A log pi(y|x) over the part's rows, and its kin.
PolicyLoss loss_terms(
    const StepPart& part,
    const PolicyScores& scores,
    const Experience& experience,
    const Minibatch& minibatch,
    const TrainingOptions& options) {
  const LogRatios& ratios = experience.ratios;
  const Advantages& a = experience.advantages;
  const auto of_tokens = [&](const at::Tensor& all) {
    return all.defined() ? all.index_select(0, part.tokens) : at::Tensor();
  };
  PolicyLoss terms;
  terms.log_probs = scores.log_probs;
  terms.lengths = part.lengths;
  const bool of_each_token = a.token_advantage.defined();
  terms.advantages = of_each_token ? of_tokens(a.token_advantage)
                                   : a.advantage.index_select(0, part.rows);
  terms.kl_weight = a.kl_weight.index_select(0, part.rows);
  if (!of_each_token) terms.credit = of_tokens(ratios.credit);
  terms.kl = scores.differentiable_kl;
  terms.token_weights = of_tokens(minibatch.token_weights);
  terms.clip = clip_of(options);
  if (!minibatch.on_policy) terms.old_log_probs = of_tokens(ratios.log_probs);
  if (options.kl_estimator == KlEstimator::kTokenK3) {
    terms.kl = token_k3(
        scores.log_probs,
        of_tokens(ratios.reference_log_probs),
        terms.old_log_probs,
        options.grpo.use_bias_correction_kl);
  }
  return terms;
}

void begin_gradients(
    Conditioning& conditioning,
    const Draw& draw,
    const std::vector<std::size_t>& prompts) {
  std::vector<Coefficients> coefficients;
  for (const std::size_t p : prompts)
    coefficients.push_back(draw.coefficients[p]);
  conditioning.zero_gradient();
  conditioning.note_steerings(coefficients);
}

}  // namespace

Minibatch whole_batch(const Experience& experience) {
  const std::int64_t kept = experience.advantages.kept.numel();
  Minibatch batch;
  batch.prompts = all_prompts(experience.draw);
  batch.normaliser = std::max(1.0, static_cast<double>(kept));
  batch.empty = kept == 0;
  return batch;
}

ClipFigures differentiate(
    SteeredPolicy& policy,
    const Experience& experience,
    const Minibatch& minibatch,
    const TrainingOptions& options,
    StepTimes& times,
    FirstPass* first) {
  Conditioning& conditioning = *policy.conditioning();
  const KlEstimator estimator = options.kl_estimator;
  const Draw& draw = experience.draw;
  TORCH_CHECK(
      !first || (!first->parts.empty() &&
                 minibatch.prompts.size() == draw.prompts.size()),
      "[differentiate] a first pass serves one gradient of the whole batch");
  if (!first) begin_gradients(conditioning, draw, minibatch.prompts);
  ClipFigures figures;
  std::vector<StepPart> parts = first ? std::move(first->parts)
                                      : split_step(
                                            draw,
                                            experience.rollout,
                                            minibatch.prompts,
                                            plan_step(policy, draw, options));
  for (const StepPart& part : parts) {
    const bool scored = first && &part == &parts.front();
    const Coefficients& c = part.coefficients.front();
    PolicyScores scores;
    if (scored) {
      scores = std::exchange(first->policy, {});
    } else {
      conditioning.begin_gradient(c);
      ReferenceScores reference;
      if (differentiates_kl(estimator))
        reference = score_reference(policy, part, estimator, times);
      scores = score_policy(policy, part, reference, estimator, times);
    }
    const Stopwatch watch(times.policy);
    const PolicyLoss terms =
        loss_terms(part, scores, experience, minibatch, options);
    policy_loss(terms, minibatch.normaliser).backward();
    figures.add(clip_figures(terms));
    conditioning.end_gradient(c);
  }
  return figures;
}

}  // namespace moft
