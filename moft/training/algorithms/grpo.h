// GRPO (docs/methods/grpo.md).
#pragma once

#include <cstdint>
#include <optional>

#include "moft/core/fields.h"
#include "moft/training/algorithms/algorithm.h"

namespace moft {

struct GrpoOptions {
  LossType loss_type = LossType::kDapo;
  double epsilon = 0.2;
  std::optional<double> epsilon_high;
  std::int64_t num_iterations = 1;
  std::int64_t steps_per_generation = 1;
  bool mask_truncated_completions = false;
  bool use_bias_correction_kl = true;

  template <class V>
  void fields(V& v) {
    v("loss_type",
      loss_type,
      Help{
          "how tokens are weighed; grpo: a mean over each completion's tokens, "
          "then over completions, dapo: a mean over the tokens of the step, "
          "bnpo: over those of the minibatch, dr_grpo: a sum over tokens, "
          "divided by completions times max_new_tokens"});
    v("epsilon",
      epsilon,
      Help{"a token's ratio to the policy that sampled it is clipped from "
           "below to 1 - epsilon"},
      above_up_to(0, 1));
    v("epsilon_high",
      epsilon_high,
      Help{"and from above to 1 + epsilon_high; null: epsilon"},
      above(0));
    v("num_iterations",
      num_iterations,
      Help{"passes over a step's completions", "passes"},
      between(1, 1000));
    v("steps_per_generation",
      steps_per_generation,
      Help{
          "updates in a pass, each from its share of the step's prompts; 1: "
          "one update from all",
          "updates"},
      between(1, 1e6));
    v("mask_truncated_completions",
      mask_truncated_completions,
      Help{"whether truncated completions have no part in the loss; their "
           "rewards stay in the baseline"});
    v("use_bias_correction_kl",
      use_bias_correction_kl,
      Help{"with kl_estimator: token_k3, whether a token's KL is multiplied by "
           "its ratio; without, its gradient is that of the KL with policy "
           "and reference exchanged"});
  }
};

extern const AlgorithmKind kGrpo;

}  // namespace moft
