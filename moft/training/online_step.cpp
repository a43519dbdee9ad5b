// Algorithm 1 of CLP: the stages of an online step, in the paper's order.
#include "moft/training/online_step.h"

#include <algorithm>
#include <functional>
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
  if (options.rule().values_tokens) return at::zeros_like(rewards);
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
class KeptRows {
 public:
  KeptRows(
      const Draw& draw,
      const std::vector<std::size_t>& skipped,
      std::int64_t least)
      : all_(static_cast<std::int64_t>(draw.rows())) {
    std::vector<std::int64_t> left(
        draw.prompts.size(), draw.samples_per_prompt);
    for (const std::size_t row : skipped)
      --left[draw.prompt_of(row)];
    std::vector<std::int64_t> kept;
    for (std::size_t row = 0; row < draw.rows(); ++row) {
      if (!std::binary_search(skipped.begin(), skipped.end(), row) &&
          (skipped.empty() || left[draw.prompt_of(row)] >= least))
        kept.push_back(static_cast<std::int64_t>(row));
    }
    indices_ = kernels::long_tensor(kept);
  }

  const at::Tensor& indices() const { return indices_; }
  // The kept ones among all rows [B, ..], and back: `absent` at the others.
  at::Tensor of(const at::Tensor& rows) const {
    return are_all() ? rows : rows.index_select(0, indices_);
  }
  at::Tensor spread(const at::Tensor& rows, double absent) const {
    return are_all() ? rows
                     : at::full({all_}, absent, rows.options())
                           .index_copy(0, indices_, rows);
  }

 private:
  bool are_all() const { return indices_.numel() == all_; }

  std::int64_t all_;
  at::Tensor indices_;
};

// Advantages of a step that has no reward.
Advantages no_advantages(
    const Draw& draw, const Scores& rewards, const KeptRows& kept) {
  log_warning(
      "step {} changes nothing: {} of {} completions have no reward",
      draw.step + 1,
      rewards.skipped.size(),
      draw.rows());
  const at::Tensor none = at::empty({0}, at::kDouble);
  return {
      kept.spread(none, kNan),
      kept.spread(none, kNan),
      kept.spread(none, 0.0),
      kept.spread(none, 0.0),
      kept.indices(),
      /*share_of_ties=*/1.0};
}

// A step's numbers at the rows of the update.
struct RewardTerms {
  at::Tensor vectors;  // mapped rewards
  at::Tensor scalar;   // what the combiner made of them
  at::Tensor kl, alpha, penalty, prompts;

  at::Tensor reward(const at::Tensor& scalarised) const {
    return regularised_reward(scalarised, kl, alpha) - penalty;
  }
  // Ties of reward vectors, whatever one number each was made of them.
  at::Tensor tie_labels_with(const at::Tensor& column) const {
    return tie_labels(at::cat({vectors, column.unsqueeze(1)}, 1), prompts);
  }
};

// Rewards that have their own baseline: the usual one is of the KL and penalty.
void add_own_baseline(
    const RewardTerms& terms,
    const at::Tensor& own,
    const std::function<at::Tensor(const at::Tensor&)>& baseline,
    AdvantageTerms& advantages) {
  const at::Tensor rest = terms.reward(at::zeros_like(terms.scalar));
  advantages.baseline =
      regularised_reward(own, at::zeros_like(terms.kl), terms.alpha) +
      baseline(rest);
  advantages.compared = terms.tie_labels_with(rest);
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
  const KeptRows kept(
      draw,
      rewards.skipped,
      std::max<std::int64_t>(left_out ? 2 : 1, combiner.least_rows()));
  if (kept.indices().numel() == 0) return no_advantages(draw, rewards, kept);
  const at::Tensor w = kept.of(draw.weights());
  RewardTerms terms;
  terms.vectors = kept.of(rewards.mapped);
  terms.kl = kept.of(ratios.reward_kl);
  terms.alpha = kept.of(draw.alphas());
  terms.prompts = kept.of(draw.prompt_of_row());
  terms.penalty =
      missing_eos_penalty_at(options, draw.step) * kept.of(rollout.truncated());
  const ScalarRewards combined =
      combiner.combine(terms.vectors, w, terms.prompts);
  terms.scalar = combined.value;
  const at::Tensor r = terms.reward(terms.scalar);
  const auto baseline = [&](const at::Tensor& of) {
    return baseline_of(
        of, terms.prompts, values, w, terms.alpha, options, combiner);
  };
  AdvantageTerms compared{
      r,
      {},
      terms.prompts,
      left_out || options.baseline == Baseline::kGroupMean};
  // The KL left out: do the objectives tell completions apart?
  at::Tensor told_apart = terms.scalar - terms.penalty;
  if (combined.baseline.defined()) {
    add_own_baseline(terms, combined.baseline, baseline, compared);
    told_apart = terms.tie_labels_with(terms.penalty);
  } else {
    compared.baseline = baseline(r);
  }
  const NormalisedAdvantages a = make_advantages(
      compared,
      options.rule().values_tokens ? AdvantageNormalisation::kNone
                                   : options.advantage_normalisation);
  const at::Tensor logged =
      regularised_reward(terms.scalar, kept.of(ratios.sequence), terms.alpha);
  return {
      kept.spread(logged, kNan),
      kept.spread(r, kNan),
      kept.spread(a.advantages, 0.0),
      kept.spread(terms.alpha / a.divisor, 0.0),
      kept.indices(),
      share_of_ties(told_apart, terms.prompts)};
}

// ---- line 7: phi += eta A grad log pi(y|x) ----------------------------------

namespace {

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
  terms.advantages = a.advantage.index_select(0, part.rows);
  terms.token_advantages = of_tokens(a.token_advantage);
  terms.kl_weight = a.kl_weight.index_select(0, part.rows);
  // PPO's rewards of tokens hold what the credit would add.
  if (!a.token_advantage.defined()) terms.credit = of_tokens(ratios.credit);
  terms.kl = scores.differentiable_kl;
  terms.token_weights = of_tokens(minibatch.token_weights);
  terms.clip = options.rule().clip;
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
    FirstPass* first,
    GradientShare* share) {
  Conditioning& conditioning = *policy.conditioning();
  const KlEstimator estimator = options.kl_estimator;
  const Draw& draw = experience.draw;
  TORCH_CHECK(
      !first ||
          (!first->parts.empty() && minibatch.slices == first->plan.here &&
           minibatch.prompts.size() == draw.prompts.size()),
      "[differentiate] a first pass serves one gradient of the whole batch");
  if (!first) begin_gradients(conditioning, draw, minibatch.prompts);
  ClipFigures figures;
  const auto split = [&] {
    StepPlan plan = plan_step(policy, draw, options);
    plan.here = minibatch.slices;
    return split_step(draw, experience.rollout, minibatch.prompts, plan);
  };
  std::vector<StepPart> parts = first ? std::move(first->parts) : split();
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
    const ClipFigures clipped = clip_figures(terms);
    figures.add(clipped);
    conditioning.end_gradient(c);
    if (share) share->figures.push_back(clipped);
    if (!part.ends_slice) continue;
    if (share) {
      share->slices.push_back(conditioning.take_slice());
    } else {
      conditioning.end_slice();
    }
  }
  return figures;
}

void put_gradient(
    SteeredPolicy& policy,
    const Draw& draw,
    const Minibatch& minibatch,
    GradientSlice sums) {
  begin_gradients(*policy.conditioning(), draw, minibatch.prompts);
  policy.conditioning()->put_slice(std::move(sums));
}

}  // namespace moft
