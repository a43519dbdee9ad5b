// All sequences of a small alphabet as a tree.
#include "verify/token_tree.h"

#include <cmath>
#include <limits>

namespace moft::exact {

TokenTree::TokenTree(int vocabulary, int max_length) : vocabulary_(vocabulary) {
  prefixes_.push_back({});
  for (std::size_t i = 0; i < prefixes_.size(); ++i) {
    const Sequence prefix = prefixes_[i];
    if (static_cast<int>(prefix.size()) + 1 >= max_length) continue;
    for (int token = 1; token < vocabulary; ++token) {
      Sequence longer = prefix;
      longer.push_back(token);
      prefixes_.push_back(longer);
    }
  }
  for (std::size_t i = 0; i < prefixes_.size(); ++i)
    prefix_index_[prefixes_[i]] = i;
  list_sequences({}, max_length);
  for (std::size_t k = 0; k < sequences_.size(); ++k) {
    const Sequence& sequence = sequences_[k];
    sequence_index_[sequence] = k;
    std::vector<std::size_t> rows;
    for (auto t = sequence.begin(); t != sequence.end(); ++t)
      rows.push_back(prefix_index_.at(Sequence(sequence.begin(), t)));
    rows_.push_back(rows);
  }
}

void TokenTree::list_sequences(const Sequence& prefix, int max_length) {
  for (int token = 0; token < vocabulary_; ++token) {
    Sequence longer = prefix;
    longer.push_back(token);
    if (token == 0 || static_cast<int>(longer.size()) == max_length) {
      sequences_.push_back(longer);
    } else {
      list_sequences(longer, max_length);
    }
  }
}

Vector TokenTree::log_probs(const Logits& logits) const {
  Logits logs;
  for (const Vector& row : logits)
    logs.push_back(log_softmax(row));
  Vector sums(sequences_.size(), 0.0);
  for (std::size_t k = 0; k < sequences_.size(); ++k) {
    for (std::size_t t = 0; t < sequences_[k].size(); ++t)
      sums[k] += logs[rows_[k][t]][sequences_[k][t]];
  }
  return sums;
}

Logits TokenTree::weighted_scores(
    const Logits& logits, const Vector& coefficients) const {
  Logits result(logits.size(), Vector(vocabulary_, 0.0));
  Vector mass(logits.size(), 0.0);
  for (std::size_t k = 0; k < sequences_.size(); ++k) {
    for (std::size_t t = 0; t < sequences_[k].size(); ++t) {
      result[rows_[k][t]][sequences_[k][t]] += coefficients[k];
      mass[rows_[k][t]] += coefficients[k];
    }
  }
  for (std::size_t row = 0; row < logits.size(); ++row)
    result[row] = combine(1.0, result[row], -mass[row], softmax(logits[row]));
  return result;
}

Logits TokenTree::conditionals(const Vector& log_probs) const {
  const double nothing = -std::numeric_limits<double>::infinity();
  Logits rows(prefixes_.size(), Vector(vocabulary_, nothing));
  // Longer prefixes come after shorter ones: their totals are ready.
  for (std::size_t i = prefixes_.size(); i-- > 0;) {
    for (int token = 0; token < vocabulary_; ++token) {
      Sequence next = prefixes_[i];
      next.push_back(token);
      const auto ends = sequence_index_.find(next);
      rows[i][token] = ends != sequence_index_.end()
                           ? log_probs[ends->second]
                           : log_sum_exp(rows[prefix_index_.at(next)]);
    }
  }
  for (Vector& row : rows)
    row = log_softmax(row);
  return rows;
}

Logits TokenTree::value_gradient(
    const Logits& logits,
    const Logits& reference,
    const Vector& gains,
    double alpha) const {
  const std::size_t count = prefixes_.size();
  Logits to_go(count, Vector(vocabulary_));
  Vector value(count);
  for (std::size_t i = count; i-- > 0;) {
    const Vector log_pi = log_softmax(logits[i]);
    const Vector log_ref = log_softmax(reference[i]);
    for (int token = 0; token < vocabulary_; ++token) {
      Sequence next = prefixes_[i];
      next.push_back(token);
      const auto ends = sequence_index_.find(next);
      to_go[i][token] =
          (ends != sequence_index_.end() ? gains[ends->second]
                                         : value[prefix_index_.at(next)]) -
          alpha * (log_pi[token] - log_ref[token]);
    }
    value[i] = dot(exponentials(log_pi), to_go[i]);
  }
  Logits gradient(count, Vector(vocabulary_));
  Vector reached(count, 0.0);
  reached[0] = 1.0;
  for (std::size_t i = 0; i < count; ++i) {
    const Vector pi = softmax(logits[i]);
    for (int token = 0; token < vocabulary_; ++token) {
      gradient[i][token] =
          reached[i] * pi[token] * (to_go[i][token] - value[i]);
      Sequence next = prefixes_[i];
      next.push_back(token);
      const auto goes_on = prefix_index_.find(next);
      if (goes_on != prefix_index_.end() && token != 0)
        reached[goes_on->second] = reached[i] * pi[token];
    }
  }
  return gradient;
}

}  // namespace moft::exact
