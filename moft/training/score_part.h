// The sampled tokens of a part under the policy and its reference: the two
// scoring passes of a step.
//
// Both passes are the same arithmetic, so the log ratio is exactly 0 while the
// policy equals its reference.
//
// Thread safety: one thread.
#pragma once

#include <ATen/ATen.h>

#include "moft/algorithms/kl_estimator.h"
#include "moft/generation/steered_policy.h"
#include "moft/training/step_parts.h"
#include "moft/training/trainer.h"

namespace moft {

// n tokens of the part, row after row; on the model's device.
struct ReferenceScores {
  at::Tensor log_probs;  // [n]
  at::Tensor logits;     // [n, V]; kept where the KL is differentiated
};

// With gradient when gradient mode is on.
struct PolicyScores {
  at::Tensor log_probs;          // [n]
  at::Tensor entropy;            // [n], of each token's distribution, a number
  at::Tensor kl;                 // [n], of each token's distribution, a number
  at::Tensor differentiable_kl;  // [n], the same with gradient
};

// Adds its seconds to times.reference.
ReferenceScores score_reference(
    SteeredPolicy& policy,
    const StepPart& part,
    KlEstimator estimator,
    StepTimes& times);

// kl and differentiable_kl only where the estimator differentiates the KL,
// which needs reference.logits. Adds its seconds to times.policy.
PolicyScores score_policy(
    SteeredPolicy& policy,
    const StepPart& part,
    const ReferenceScores& reference,
    KlEstimator estimator,
    StepTimes& times);

}  // namespace moft
