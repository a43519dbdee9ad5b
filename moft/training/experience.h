// The data of an online step, one struct per stage (online_step.h).
//
// P prompts, B rows (completions), m objectives, N completion tokens packed row
// after row. Rows are prompt-major: row = prompt * samples_per_prompt + sample.
// Numbers per row are double tensors [B] on the CPU without gradient.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/generation/generate.h"
#include "moft/rewards/objectives.h"
#include "moft/weightings/steering.h"

namespace moft {

// x ~ D and (alpha, w) ~ Q: what the step asks.
struct Draw {
  std::int64_t step = 0;  // counted from 0; names the rows' random streams
  std::int64_t samples_per_prompt = 1;
  std::size_t first_prompt = 0;  // of the step's, where this is a slice of them
  std::vector<const Example*> examples;   // [P]
  std::vector<TokenIds> prompts;          // [P], as the policy reads them
  std::vector<TokenIds> plain_prompts;    // [P], as the reference reads them
  std::vector<std::string> prompt_texts;  // [P]
  // [P], the prompts' dialogues; null for a text.
  std::vector<std::shared_ptr<const ChatTurns>> turns;
  std::vector<Steering> steerings;         // [P]
  std::vector<Coefficients> coefficients;  // [P]

  std::size_t rows() const {
    return prompts.size() * static_cast<std::size_t>(samples_per_prompt);
  }
  std::size_t first_row(std::size_t prompt) const {
    return prompt * static_cast<std::size_t>(samples_per_prompt);
  }
  std::size_t prompt_of(std::size_t row) const {
    return row / static_cast<std::size_t>(samples_per_prompt);
  }
  // The row among the step's, which names its random stream.
  std::size_t row_of_step(std::size_t row) const {
    return first_row(first_prompt) + row;
  }
  // Prompts [begin, end). What is computed of them, row by row, is what the
  // whole draw gives.
  Draw slice(std::size_t begin, std::size_t end) const;
  at::Tensor weights() const;        // [B, m]
  at::Tensor alphas() const;         // [B]
  at::Tensor prompt_of_row() const;  // int64 [B]
};

// y ~ pi(.|x; alpha, w).
struct Rollout {
  std::vector<Generation> rows;    // [B]
  std::vector<std::string> texts;  // [B]
  // What the frozen lower layers computed, for scoring; or null.
  std::shared_ptr<const Features> features;

  at::Tensor lengths() const;    // int64 [B], tokens of each row
  at::Tensor truncated() const;  // [B], 1 for a row without an end
};

// The rollout scored under the policy and the reference.
struct LogRatios {
  at::Tensor sequence;     // [B], log pi(y|x) - log ref(y|x)
  at::Tensor reward_kl;    // [B], what alpha multiplies in the trained reward
  at::Tensor credit;       // [N], see token_credit(); undefined: 0 everywhere
  at::Tensor entropy;      // [B], nats per token, mean over the row
  at::Tensor rollout_gap;  // [B], |sampled - scored| log-prob, summed
  // [N], double, of the sampled tokens.
  at::Tensor log_probs;            // under the policy that sampled them
  at::Tensor reference_log_probs;  // under the reference

  at::Tensor tokens() const { return log_probs - reference_log_probs; }  // [N]
};

// Skipped rows: rewards NaN, the others 0.
struct Advantages {
  at::Tensor reward;           // [B], r with the sequence's log ratio
  at::Tensor trained_reward;   // [B], r of the update, penalties included
  at::Tensor advantage;        // [B]
  at::Tensor kl_weight;        // [B], alpha over the advantage's divisor
  at::Tensor kept;             // int64 [kept], rows of the update, rising
  double share_of_ties = 0.0;  // of prompts whose completions got one reward
  // [N], PPO's, of which `advantage` is then each row's mean; undefined: every
  // token has its row's.
  at::Tensor token_advantage = {};
};

// All that an update needs, and may use any number of times.
struct Experience {
  Draw draw;
  Rollout rollout;
  Scores rewards;  // [B, m]; its `skipped` rows have no part in an update
  LogRatios ratios;
  Advantages advantages;

  at::Tensor is_kept() const;  // bool [B], of advantages.kept
};

}  // namespace moft
