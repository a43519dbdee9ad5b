// Expected gradients of nine ways to treat the KL.
#include "verify/estimator_task.h"

#include <algorithm>
#include <cmath>

#include "moft/weightings/steering.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

Logits normal_rows(SplitMix64& random, std::size_t rows, int columns) {
  Logits result;
  for (std::size_t i = 0; i < rows; ++i)
    result.push_back(random.normals(columns));
  return result;
}

}  // namespace

EstimatorTask::EstimatorTask(double alpha_min)
    : tree_(3, 3), beta_(KlRange(alpha_min).mixing_amount(alpha_)) {
  SplitMix64 random(21);
  const std::size_t rows = tree_.prefixes().size();
  reference_ = normal_rows(random, rows, 3);
  copies_ = {normal_rows(random, rows, 3), normal_rows(random, rows, 3)};
  problem_.reference = tree_.log_probs(reference_);
  const int outputs = static_cast<int>(tree_.sequences().size());
  problem_.rewards = {random.uniforms(outputs), random.uniforms(outputs)};
  for (std::size_t i = 0; i < rows; ++i) {
    const Vector mixed = combine(w_[0], copies_[0][i], w_[1], copies_[1][i]);
    merged_.push_back(combine(1.0 - beta_, mixed, beta_, reference_[i]));
  }
}

PolicyScore EstimatorTask::score() const {
  return score_policy(problem_, tree_.log_probs(merged_), w_, alpha_);
}

Vector EstimatorTask::log_ratio() const {
  return combine(1.0, tree_.log_probs(merged_), -1.0, problem_.reference);
}

Logits EstimatorTask::exact_gradient() const {
  const Vector reward = weighted_sum(w_, problem_.rewards);
  const Vector gains = combine(1.0 - alpha_, reward, 0.0, reward);
  return tree_.value_gradient(merged_, reference_, gains, alpha_);
}

Logits EstimatorTask::gradient(KlTreatment treatment) const {
  using enum KlTreatment;
  const Vector probabilities = exponentials(tree_.log_probs(merged_));
  const Vector ratio = log_ratio();
  Vector reward = weighted_sum(w_, problem_.rewards);
  for (std::size_t k = 0; k < reward.size(); ++k) {
    const double l = ratio[k];
    reward[k] *= 1.0 - alpha_;
    if (treatment == kSequenceK1) reward[k] -= alpha_ * l;
    if (treatment == kSequenceK2) reward[k] -= alpha_ * 0.5 * l * l;
    if (treatment == kSequenceK3) reward[k] -= alpha_ * (std::exp(-l) - 1 + l);
    if (treatment == kFullKl) reward[k] -= alpha_ * dot(probabilities, ratio);
    if (treatment == kWrongSign) reward[k] += alpha_ * l;
    reward[k] *= probabilities[k];
  }
  Logits result = tree_.weighted_scores(merged_, reward);
  const bool to_go = treatment == kRewardToGo;
  const bool direct =
      treatment == kTokenDirect || treatment == kTokenDirectAndFuture;
  if (!to_go && !direct) return result;

  Logits log_pi, pi, token_ratio;
  Vector token_kl;
  for (std::size_t i = 0; i < merged_.size(); ++i) {
    log_pi.push_back(log_softmax(merged_[i]));
    pi.push_back(exponentials(log_pi[i]));
    token_ratio.push_back(
        combine(1.0, log_pi[i], -1.0, log_softmax(reference_[i])));
    token_kl.push_back(dot(pi[i], token_ratio[i]));
  }
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    const Sequence& tokens = tree_.sequences()[k];
    const auto& rows = tree_.rows()[k];
    double behind = 0.0;  // log ratio, or KL, from the token on
    for (std::size_t t = tokens.size(); t-- > 0;) {
      const std::size_t row = rows[t];
      if (to_go) behind += token_ratio[row][tokens[t]];
      const double weight = alpha_ * probabilities[k];
      const double score = treatment == kTokenDirect ? 0.0 : behind;
      for (int v = 0; v < tree_.vocabulary(); ++v) {
        const double log_gradient = (v == tokens[t] ? 1.0 : 0.0) - pi[row][v];
        result[row][v] -= weight * score * log_gradient;
        if (!direct) continue;
        result[row][v] -=
            weight * pi[row][v] * (token_ratio[row][v] - token_kl[row]);
      }
      if (direct) behind += token_kl[row];
    }
  }
  return result;
}

double EstimatorTask::mean_reward() const {
  const Vector reward = combine(
      1.0 - alpha_, weighted_sum(w_, problem_.rewards), -alpha_, log_ratio());
  return dot(exponentials(tree_.log_probs(merged_)), reward);
}

double EstimatorTask::trace_variance(double baseline) const {
  const Vector probabilities = exponentials(tree_.log_probs(merged_));
  const Vector reward = combine(
      1.0 - alpha_, weighted_sum(w_, problem_.rewards), -alpha_, log_ratio());
  const auto square = [](const Logits& rows) {
    double sum = 0.0;
    for (const Vector& row : rows)
      sum += dot(row, row);
    return sum;
  };
  double second = 0.0;
  for (std::size_t k = 0; k < reward.size(); ++k) {
    Vector one(reward.size(), 0.0);
    one[k] = reward[k] - baseline;
    second += probabilities[k] * square(tree_.weighted_scores(merged_, one));
  }
  return second - square(exact_gradient());
}

GradientError compare(const Logits& estimate, const Logits& exact) {
  GradientError error;
  double product = 0.0, first = 0.0, second = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    for (std::size_t v = 0; v < exact[i].size(); ++v) {
      const double a = estimate[i][v];
      const double b = exact[i][v];
      error.largest = std::max(error.largest, std::abs(a - b));
      product += a * b;
      first += a * a;
      second += b * b;
    }
  }
  error.cosine = product / std::sqrt(first * second);
  return error;
}

}  // namespace moft::exact
