// PPO's values of tokens, and the advantages made of them: J. Schulman et al.,
// arXiv 1707.06347 and 1506.02438 (algorithms/gae.h), for all weightings at
// once.
//
// The value network predicts, before each token of a completion, what is still
// to come. With value.target: objectives it has m + 1 columns: each objective's
// reward, and the KL. GAE is linear, so with its advantages A_i and A_kl
//
//   A_t = (1 - alpha) sum_i w_i A_i,t - alpha A_kl,t - penalty_t
//
// is the advantage under the row's own weighting and strength; only V_i and
// V_kl, not the rewards, are means over the weightings that the network cannot
// tell apart. With target: reward there is one column, the trained reward of
// each token. In the KL's column r_t is the token's log ratio; alpha does not
// multiply it where the KL is in the loss, or nowhere. The penalty of a
// truncated completion has no column, so every token gets it whole (lambda 1;
// gamma discounts it), which is unbiased; with target: reward it is part of the
// reward, as in TRL, and V learns it.
//
// P prompts, B rows, N packed tokens, k columns.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moft/training/experience.h"
#include "moft/training/reward_combiner.h"
#include "moft/training/step_parts.h"
#include "moft/training/training_options.h"
#include "moft/training/value_learner.h"

namespace moft {

// Columns of the network: m + 1, or 1.
std::int64_t token_value_columns(
    const TrainingOptions& options, std::size_t objectives);

// A step's: [N, k], double, on the CPU.
struct TokenValues {
  at::Tensor values;   // before the step's updates
  at::Tensor returns;  // NaN in rows without a reward
};

// What the network reads of these prompts (indices, rising) and their
// completions, in parts: each part's `score` is for it.
std::vector<StepPart> value_parts(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    const StepPlan& plan,
    ValuePrompt prompt);

// [N, k], without gradient. `parts`: of all prompts, or of consecutive ones and
// then of their tokens alone.
at::Tensor predict_token_values(
    const ValueLearner& learner, const std::vector<StepPart>& parts);

// Writes experience.advantages: token_advantage, normalised over tokens by
// options.advantage_normalisation, each row's mean of them, and kl_weight.
// `combiner` makes one number of a row's rewards with value.target: reward;
// with target: objectives it is w.R. Gives the returns.
at::Tensor add_token_advantages(
    Experience& experience,
    const at::Tensor& values,
    const TrainingOptions& options,
    const RewardCombiner& combiner = RewardCombiner());

// Takes the gradient of the clipped value loss over these parts' tokens, in the
// place of what is there. `count`: values of the minibatch that have a return,
// of which these parts may be some. How many values get none, by the clip.
double learn_token_values(
    ValueLearner& learner,
    const std::vector<StepPart>& parts,
    const TokenValues& tokens,
    double cliprange,
    double count);
// The values of these prompts' tokens that have a return; at least 1.
double count_returns(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    const at::Tensor& returns);

}  // namespace moft
