// The data of one training step: prompts, their steerings and completions.
//
// Rows are prompt-major: row = prompt * samples_per_prompt + sample.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/generation/generate.h"
#include "moft/rewards/objectives.h"
#include "moft/weightings/steering.h"

namespace moft {

struct StepBatch {
  std::int64_t samples_per_prompt = 1;
  bool one_part = false;  // scored and differentiated as a whole
  std::vector<const Example*> examples;    // [P]
  std::vector<TokenIds> prompts;           // [P], as the policy reads them
  std::vector<TokenIds> plain_prompts;     // [P], as the reference does
  std::vector<std::string> prompt_texts;   // [P]
  std::vector<Steering> steerings;         // [P]
  std::vector<Coefficients> coefficients;  // [P]
  std::vector<Generation> rows;            // [B]
  std::vector<std::string> texts;          // [B]
  std::shared_ptr<const Features> features;
  std::shared_ptr<const PromptGraph> prompt_graph;  // if all are one part
  Scores scores;      // [B][m]
  at::Tensor values;  // [P, m or 1] of the value network; undefined without
  // Set once the completions are scored; all [B], double, on the CPU.
  std::vector<double> log_ratio;  // log pi(y) - log ref(y)
  std::vector<double> reward;     // r, KL included
  std::vector<double> reward_kl;  // what alpha multiplies in trained_reward
  std::vector<double> trained_reward;  // r of the update, penalty included
  std::vector<double> advantage;
  std::vector<double> kl_weight;  // alpha over the advantage's divisor
  double share_of_ties = 0.0;  // of prompts whose completions all got the same
  // [B][tokens], what a token's advantage has more, times kl_weight; empty
  // rows: nothing.
  std::vector<std::vector<double>> token_credit;
  std::vector<double> entropy;      // nats per token, mean over the row
  std::vector<double> rollout_gap;  // |sampled - scored| log-prob, summed

  std::size_t rows_of_prompt(std::size_t prompt) const {
    return prompt * static_cast<std::size_t>(samples_per_prompt);
  }
};

// The sampled tokens of a part under the policy and under the reference, [N],
// row after row.
struct PartScores {
  at::Tensor log_probs;            // of the policy; with gradient in a backward
  at::Tensor reference_log_probs;  // pass
  at::Tensor reference_logits;     // [N, V]; kept if the KL is differentiated
  at::Tensor kl;                   // of each token's distribution, a number
  at::Tensor differentiable_kl;    // the same with gradient
};

// The prompts of a step that are computed together: their rows, targets and
// steering. `prompts` are indices into the batch, rising.
struct StepPart {
  std::vector<std::size_t> prompts;
  std::vector<std::size_t> rows;  // indices into the batch's rows
  ScoreBatch score;
  ScoreBatch reference_score;  // the same completions after plain prompts
  std::vector<Coefficients> coefficients;     // distinct
  std::vector<std::int64_t> coefficients_of;  // [prompts of this part]
  std::vector<std::int64_t> targets;          // completion tokens, packed
  std::vector<std::int64_t> lengths;          // [rows of this part]
};

StepPart make_part(
    const StepBatch& batch, const std::vector<std::size_t>& prompts);

// Whether split_step() with these arguments makes one part.
bool is_one_part(const StepBatch& batch, std::int64_t parts, bool mixes_rows);

// Splits a step into `parts` parts of about equal size. With `mixes_rows`
// false a part holds prompts of one steering only, so there are more parts
// when there are more steerings.
std::vector<StepPart> split_step(
    const StepBatch& batch, std::int64_t parts, bool mixes_rows);

}  // namespace moft
