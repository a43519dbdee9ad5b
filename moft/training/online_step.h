// Algorithm 1 of CLP (arXiv 2407.15762), stage by stage, for all weightings at
// once. Each stage is a function of what the stages before it made
// (experience.h); OnlineTrainer calls them in this order:
//
//   line 3  make_draw         x ~ D, (alpha, w) ~ Q
//   line 5  roll_out          y ~ pi(.|x; alpha, w)  (roll_out.h)
//           score_rewards     R_i(x, y), mapped to the objective's range
//           score_log_ratios  log pi(y|x) - log ref(y|x)  (log_ratios.h)
//   line 6  make_advantages   r = (1-alpha) w.R - alpha log ratio; A = r - b,
//                             normalised
//   line 7  differentiate     the gradient of -mean A log pi(y|x), through
//                             log pi alone; apply_update() takes the step
//
// Other algorithms (training.algorithm) differ in line 7 and in how often it is
// done, by their rules (algorithms/algorithm.h, minibatches.h); PPO's
// advantages are of tokens (token_values.h), online DPO's of preferences
// (preference_advantages.h).
//
// Other ways to bring the KL in (kl_estimator) are in algorithms/kl_gradient.h.
// differentiate() may be called any number of times on one experience: over
// epochs, and over minibatches, whose gradients add up to the whole batch's.
//
// Errors: CallerError for data that do not fit; WorldError for rewards that are
// not finite. Functions that take `times` add their seconds to it.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/policy_loss.h"
#include "moft/conditioning/gradient_sum.h"
#include "moft/generation/steered_policy.h"
#include "moft/rewards/objectives.h"
#include "moft/training/experience.h"
#include "moft/training/first_pass.h"
#include "moft/training/log_ratios.h"
#include "moft/training/reward_combiner.h"
#include "moft/training/roll_out.h"
#include "moft/training/training_options.h"
#include "moft/training/training_prompts.h"

namespace moft {

// The examples `chosen`, one steering each.
Draw make_draw(
    const SteeredPolicy& policy,
    const TrainingPrompts& prompts,
    const std::vector<std::size_t>& chosen,
    std::vector<Steering> steerings,
    std::int64_t step,
    std::int64_t samples_per_prompt);

Scores score_rewards(
    const ObjectiveSet& objectives,
    const Draw& draw,
    const Rollout& rollout,
    StepTimes& times);

// Skipped rows have no part in baseline and normaliser, nor has a row that
// they leave alone under leave_one_out; where no row is left, a warning says
// that the step changes nothing.
// values [P, m or 1]: what a value network predicted before it learned from
// this step; undefined with the other baselines. Reads options.baseline, value,
// advantage_normalisation and missing_eos_penalty. `combiner` makes one number
// of a row's rewards, w.R unless another one is given. PPO's are rewards
// without a baseline, until add_token_advantages() (token_values.h).
Advantages make_advantages(
    const Draw& draw,
    const Rollout& rollout,
    const Scores& rewards,
    const LogRatios& ratios,
    const at::Tensor& values,
    const TrainingOptions& options,
    const RewardCombiner& combiner = RewardCombiner());

// What a gradient is taken over.
struct Minibatch {
  std::vector<std::size_t> prompts;  // indices into the draw's, rising
  double normaliser = 1.0;           // what the loss is divided by
  // [N], over the tokens of ALL rows: how much each token's terms count, for
  // example 1 / length of its completion. Undefined: 1.
  at::Tensor token_weights;
  // No row has a part in the loss: nothing is to be learned.
  bool empty = false;
  // The parameters are still those that sampled the completions, so ratios are
  // exactly 1.
  bool on_policy = true;
  // The slices (step_parts.h) whose gradient is taken, as the whole minibatch's
  // would have it; none: all of them. Sums of them, added in order, are the
  // minibatch's gradient to the last bit.
  std::optional<ItemRange> slices = std::nullopt;
};

// All prompts, divided by the number of rows that are kept.
Minibatch whole_batch(const Experience& experience);

// What a rank computes of a minibatch's gradient, to be added to what others
// compute (ranks.h): the slices' gradients, which are no longer with the
// conditioning, and the figures of each part.
struct GradientShare {
  std::vector<GradientSlice> slices;
  std::vector<ClipFigures> figures;
};

// Puts the gradient of the minibatch's loss under the current parameters into
// the policy's conditioning, in the place of what is there. Reads
// the algorithm's rule, kl_estimator and what plan_step() reads.
// `first`: of a minibatch of all prompts, and the same slices, on policy.
// `share`: gets what there is of the gradient; then the conditioning has none,
// until put_gradient().
ClipFigures differentiate(
    SteeredPolicy& policy,
    const Experience& experience,
    const Minibatch& minibatch,
    const TrainingOptions& options,
    StepTimes& times,
    FirstPass* first = nullptr,
    GradientShare* share = nullptr);

// Makes sums of slices the conditioning's gradient of the minibatch.
void put_gradient(
    SteeredPolicy& policy,
    const Draw& draw,
    const Minibatch& minibatch,
    GradientSlice sums);

}  // namespace moft
