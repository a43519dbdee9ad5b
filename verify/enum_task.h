// ENUM-1: a small language task on which any policy can be scored exactly.
//
// Tokens 0 (end) and 1..5; an answer has at most three content tokens and ends
// with the end token, which is forced after the third: 156 answers. The
// reference is uniform over {0, .., 5} at every free step. Four prompts, each
// a document and a summary of it, and three rewards in conflict:
//   R1 faithful and short: share of the answer's distinct tokens that the
//      document has (1/2 for an empty answer), less 0.1 per token;
//   R2 ROUGE-1 F1 of answer and summary;
//   R3 length / 3.
//
// A language model of any kind is scored by the log-probabilities it gives to
// answers() after each prompt: score_policy() and loss_to_optimum() on
// problem(prompt).
//
// Thread safety: immutable.
#pragma once

#include <vector>

#include "verify/enumerated_problem.h"
#include "verify/token_tree.h"

namespace moft::exact {

struct EnumPrompt {
  Sequence document;
  Sequence summary;
};

class EnumTask {
 public:
  EnumTask();

  const std::vector<EnumPrompt>& prompts() const { return prompts_; }
  // Content tokens of the answers, without the end token, [156].
  const std::vector<Sequence>& answers() const { return answers_; }
  const EnumeratedProblem& problem(std::size_t prompt) const {
    return problems_[prompt];
  }
  const TokenTree& tree() const { return tree_; }

  // The optimum's score, mean over the prompts. w [3].
  PolicyScore optimal_score(const Vector& w, double alpha) const;

 private:
  TokenTree tree_;
  std::vector<EnumPrompt> prompts_;
  std::vector<Sequence> answers_;
  std::vector<EnumeratedProblem> problems_;
};

// What mixing next-token logits loses against the optimum, over the prompts.
struct MixingGap {
  double mean = 0.0;
  double largest = 0.0;
};

// Optimal policies of R1 and R2 alone at alpha, logits mixed per token with
// (1 - lambda, lambda).
MixingGap token_mixing_gap(const EnumTask& task, double lambda, double alpha);

// DeRa: the optimum of (1/2, 1/2, 0) at alpha_min, logits mixed per token with
// the reference's by f_mix(alpha), against the optimum at alpha.
MixingGap dera_gap(const EnumTask& task, double alpha_min, double alpha);

}  // namespace moft::exact
