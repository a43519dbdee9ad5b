// Updates of GRPO.
#include "moft/training/algorithms/grpo.h"

#include "moft/training/training_options.h"

namespace moft {
namespace {

UpdateRule rule_of(const TrainingOptions& options) {
  const GrpoOptions& grpo = options.grpo;
  UpdateRule rule;
  rule.passes = grpo.num_iterations;
  rule.updates = grpo.steps_per_generation;
  rule.updates_key = "grpo.steps_per_generation";
  rule.clip = RatioClip{grpo.epsilon, grpo.epsilon_high.value_or(grpo.epsilon)};
  rule.loss = grpo.loss_type;
  rule.masks_truncated = grpo.mask_truncated_completions;
  return rule;
}

}  // namespace

constinit const AlgorithmKind kGrpo = {rule_of, nullptr};

}  // namespace moft
