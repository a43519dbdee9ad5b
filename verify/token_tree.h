// A tabular autoregressive policy over short sequences, all of them listed.
//
// Vocabulary 0..v-1 with 0 the end token; a sequence ends with the end token
// or when it has `max_length` tokens. There is one row of logits for each
// prefix that can go on. Prefixes are ordered by length, then by token;
// sequences in depth-first order. Everything is exact: no sampling.
//
// Thread safety: immutable after construction.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "verify/distributions.h"

namespace moft::exact {

using Sequence = std::vector<int>;
using Logits = Matrix;  // [prefixes][vocabulary]

class TokenTree {
 public:
  TokenTree(int vocabulary, int max_length);

  int vocabulary() const { return vocabulary_; }
  const std::vector<Sequence>& prefixes() const { return prefixes_; }
  const std::vector<Sequence>& sequences() const { return sequences_; }
  // rows()[k][t]: the row of the prefix before token t of sequence k.
  const std::vector<std::vector<std::size_t>>& rows() const { return rows_; }

  // log pi of every sequence, [sequences].
  Vector log_probs(const Logits& logits) const;
  // sum_k coefficients[k] grad log pi(sequence k), per logit.
  Logits weighted_scores(
      const Logits& logits, const Vector& coefficients) const;

  // Conditional log-probabilities of a distribution over sequences: the rows
  // whose log_probs() are `log_probs` (any normalisation). Prefixes that
  // nothing reaches are not allowed.
  Logits conditionals(const Vector& log_probs) const;

  // Gradient in the logits of E[gain(y)] - alpha KL(pi || reference), through
  // values of prefixes (backward recursion), not through score functions.
  Logits value_gradient(
      const Logits& logits,
      const Logits& reference,
      const Vector& gains,
      double alpha) const;

 private:
  void list_sequences(const Sequence& prefix, int max_length);

  int vocabulary_;
  std::vector<Sequence> prefixes_;
  std::vector<Sequence> sequences_;
  std::map<Sequence, std::size_t> prefix_index_;
  std::map<Sequence, std::size_t> sequence_index_;
  std::vector<std::vector<std::size_t>> rows_;
};

}  // namespace moft::exact
