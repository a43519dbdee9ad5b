// Scoring a rollout under the policy and its reference.
#include "moft/training/log_ratios.h"

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/token_sums.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

// Log-probabilities of the part's tokens as they were sampled, float [n].
at::Tensor sampled_log_probs(const StepPart& part, const Rollout& rollout) {
  std::vector<float> sampled;
  const auto rows = part.rows.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const auto& row = rollout.rows[static_cast<std::size_t>(rows[i])].log_probs;
    sampled.insert(sampled.end(), row.begin(), row.end());
  }
  return at::tensor(sampled);
}

// Writes the part's rows and tokens.
void set_log_ratios(
    const StepPart& part,
    const Rollout& rollout,
    const ReferenceScores& reference,
    const PolicyScores& policy,
    KlEstimator estimator,
    LogRatios& ratios) {
  const at::Tensor scored = policy.log_probs.detach().to(at::kCPU);
  TokenKl tokens;
  tokens.log_ratio =
      scored.to(at::kDouble) - reference.log_probs.to(at::kCPU).to(at::kDouble);
  tokens.lengths = part.lengths;
  if (policy.kl.defined()) tokens.kl = policy.kl.to(at::kCPU);
  const auto set_rows = [&](at::Tensor& all, const at::Tensor& values) {
    all.index_copy_(0, part.rows, values.to(at::kCPU));
  };
  const auto by_row = [&](const at::Tensor& values) {
    return sum_packed(values.to(at::kCPU), part.lengths);
  };
  set_rows(ratios.sequence, by_row(tokens.log_ratio));
  set_rows(ratios.reward_kl, reward_kl(estimator, tokens));
  set_rows(ratios.entropy, by_row(policy.entropy) / part.lengths);
  set_rows(
      ratios.rollout_gap,
      by_row((sampled_log_probs(part, rollout) - scored).abs()));
  const auto set_tokens = [&](at::Tensor& all, const at::Tensor& values) {
    all.index_copy_(0, part.tokens, values.to(at::kCPU).to(at::kDouble));
  };
  set_tokens(ratios.log_probs, scored);
  set_tokens(ratios.reference_log_probs, reference.log_probs);
  const at::Tensor credit = token_credit(estimator, tokens);
  if (!credit.defined()) return;
  if (!ratios.credit.defined())
    ratios.credit = at::zeros_like(ratios.log_probs);
  set_tokens(ratios.credit, credit);
}

LogRatios zero_log_ratios(const Rollout& rollout) {
  const at::Tensor rows = at::zeros({std::ssize(rollout.rows)}, at::kDouble);
  const at::Tensor tokens =
      at::zeros({rollout.lengths().sum().item<std::int64_t>()}, at::kDouble);
  return {
      rows,
      rows.clone(),
      {},
      rows.clone(),
      rows.clone(),
      tokens,
      tokens.clone()};
}

}  // namespace

LogRatios score_log_ratios(
    SteeredPolicy& policy,
    const Draw& draw,
    const Rollout& rollout,
    const TrainingOptions& options,
    StepTimes& times,
    FirstPass* first,
    const std::optional<ItemRange>& slices) {
  Conditioning& conditioning = *policy.conditioning();
  const KlEstimator estimator = options.kl_estimator;
  StepPlan plan = first ? first->plan : plan_step(policy, draw, options);
  plan.here = slices;
  std::vector<StepPart> parts =
      split_step(draw, rollout, all_prompts(draw), plan);
  LogRatios ratios = zero_log_ratios(rollout);
  // All of the reference's first where that keeps a number per token: then the
  // step waits for them alone, beside rewards from outside.
  std::vector<ReferenceScores> references(parts.size());
  const auto reference_of = [&](std::size_t i) {
    references[i] = score_reference(policy, parts[i], estimator, times);
  };
  const bool at_once = !differentiates_kl(estimator);
  for (std::size_t i = 0; at_once && i < parts.size(); ++i)
    reference_of(i);
  for (std::size_t i = first ? 1 : 0; i < parts.size(); ++i) {
    const at::NoGradGuard no_gradient;
    if (!at_once) reference_of(i);
    const ReferenceScores reference = std::move(references[i]);
    const auto scores =
        score_policy(policy, parts[i], reference, estimator, times);
    set_log_ratios(parts[i], rollout, reference, scores, estimator, ratios);
  }
  if (!first) return ratios;
  // The first part comes last: its one pass serves the gradient too.
  StepPart& part = parts.front();
  if (!first->begun) conditioning.begin_gradient(part.coefficients.front());
  first->begun = true;
  part.score.prompt_graph = std::move(first->prompt_graph);
  if (!at_once) reference_of(0);
  first->policy = score_policy(policy, part, references[0], estimator, times);
  set_log_ratios(
      part, rollout, references[0], first->policy, estimator, ratios);
  first->parts = std::move(parts);
  return ratios;
}

}  // namespace moft
