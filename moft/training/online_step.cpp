// Algorithm 1 of CLP: the stages of an online step, in the paper's order.
#include "moft/training/online_step.h"

#include <utility>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/policy_loss.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/values.h"
#include "moft/training/stopwatch.h"

namespace moft {

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
    draw.prompts.push_back(
        policy.conditioned_prompt(prompts.prompt(example), steering));
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
  const Stopwatch watch(times.rewards);
  RewardBatch request;
  request.completions = rollout.texts;
  for (std::size_t p = 0; p < draw.prompts.size(); ++p) {
    for (std::size_t r = draw.first_row(p); r < draw.first_row(p + 1); ++r) {
      const Generation& row = rollout.rows[r];
      request.prompts.push_back(draw.prompt_texts[p]);
      request.examples.push_back(draw.examples[p]);
      request.token_counts.push_back(
          std::ssize(row.tokens) - (row.finished ? 1 : 0));
    }
  }
  return objectives.score(request);
}

// ---- line 6: r = (1 - alpha) w.R - alpha (log pi - log ref) -----------------

namespace {

at::Tensor baseline_of(
    const at::Tensor& rewards,
    const at::Tensor& prompt_of_row,
    const at::Tensor& values,
    const at::Tensor& weights,
    const at::Tensor& alphas,
    const TrainingOptions& options) {
  if (options.baseline == Baseline::kLeaveOneOut)
    return leave_one_out_baseline(rewards, prompt_of_row);
  if (options.baseline == Baseline::kBatchMean)
    return batch_mean_baseline(rewards);
  const at::Tensor by_row = values.index_select(0, prompt_of_row);
  if (options.value.target == ValueTarget::kReward) return by_row.select(1, 0);
  return value_baseline(by_row, weights, alphas, options.value.scale);
}

}  // namespace

Advantages make_advantages(
    const Draw& draw,
    const Rollout& rollout,
    const Scores& rewards,
    const LogRatios& ratios,
    const at::Tensor& values,
    const TrainingOptions& options) {
  const at::Tensor w = draw.weights();
  const at::Tensor alpha = draw.alphas();
  const at::Tensor prompts = draw.prompt_of_row();
  const at::Tensor penalty =
      missing_eos_penalty_at(options, draw.step) * rollout.truncated();
  const at::Tensor scalar = scalarise(rewards.mapped, w);
  const at::Tensor r =
      regularised_reward(scalar, ratios.reward_kl, alpha) - penalty;
  const at::Tensor b = baseline_of(r, prompts, values, w, alpha, options);
  const NormalisedAdvantages a = make_advantages(
      {r, b, prompts, options.baseline == Baseline::kLeaveOneOut},
      options.advantage_normalisation);
  return {
      regularised_reward(scalar, ratios.sequence, alpha),
      r,
      a.advantages,
      alpha / a.divisor,
      // The KL left out: do the objectives tell completions apart?
      share_of_ties(scalar - penalty, prompts)};
}

// ---- line 7: phi += eta A grad log pi(y|x) ----------------------------------

namespace {

// -(1 / normaliser) sum_y A log pi(y|x) over the part's rows.
at::Tensor loss_of(
    const StepPart& part,
    const PolicyScores& scores,
    const Experience& experience,
    const Minibatch& minibatch) {
  const Advantages& a = experience.advantages;
  const auto of_tokens = [&](const at::Tensor& all) {
    return all.defined() ? all.index_select(0, part.tokens) : at::Tensor();
  };
  PolicyLoss terms;
  terms.log_probs = scores.log_probs;
  terms.lengths = part.lengths;
  terms.advantages = a.advantage.index_select(0, part.rows);
  terms.kl_weight = a.kl_weight.index_select(0, part.rows);
  terms.credit = of_tokens(experience.ratios.credit);
  terms.kl = scores.differentiable_kl;
  terms.token_weights = of_tokens(minibatch.token_weights);
  return policy_loss(terms, minibatch.normaliser);
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
  return {
      all_prompts(experience.draw),
      static_cast<double>(experience.draw.rows()),
      {}};
}

void differentiate(
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
    loss_of(part, scores, experience, minibatch).backward();
    conditioning.end_gradient(c);
  }
}

}  // namespace moft
