// Scoring passes over the sampled tokens.
#include "moft/training/score_part.h"

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/kl_gradient.h"
#include "moft/kernels/token_log_probs.h"
#include "moft/training/stopwatch.h"

namespace moft {

ReferenceScores score_reference(
    SteeredPolicy& policy,
    const StepPart& part,
    KlEstimator estimator,
    StepTimes& times) {
  const Stopwatch watch(times.reference);
  const at::NoGradGuard no_gradient;
  const at::Tensor logits = policy.model().completion_logits(
      part.reference_score,
      RowSteering::uniform(Coefficients::frozen_reference()));
  ReferenceScores scores;
  scores.log_probs = kernels::selected_log_probs(
      logits,
      part.targets.to(logits.device()),
      {.inverse_temperature = 1.0 / policy.temperature(),
       .overwrite_logits = false});
  if (differentiates_kl(estimator)) scores.logits = logits;
  return scores;
}

PolicyScores score_policy(
    SteeredPolicy& policy,
    const StepPart& part,
    const ReferenceScores& reference,
    KlEstimator estimator,
    StepTimes& times) {
  const Stopwatch watch(times.policy);
  LanguageModel& model = policy.model();
  const at::Device device = model.device();
  const at::Tensor logits = model.completion_logits(
      part.score,
      RowSteering::per_row(part.coefficients, part.coefficients_of, device));
  const double inverse_temperature = 1.0 / policy.temperature();
  const bool with_gradient = at::GradMode::is_enabled();
  const bool direct = differentiates_kl(estimator);
  PolicyScores scores;
  scores.entropy = kernels::entropy(logits.detach(), inverse_temperature);
  if (direct) {
    scores.kl = kernels::exact_kl(
        logits.detach(), reference.logits, inverse_temperature);
  }
  if (direct && with_gradient) {
    scores.differentiable_kl =
        token_kl(logits, reference.logits, inverse_temperature);
  }
  scores.log_probs = kernels::selected_log_probs(
      logits,
      part.targets.to(device),
      {.inverse_temperature = inverse_temperature,
       .overwrite_logits = with_gradient && !direct});
  return scores;
}

}  // namespace moft
