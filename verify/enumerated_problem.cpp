// Closed forms of a problem whose outputs can be listed.
#include "verify/enumerated_problem.h"

#include "moft/core/errors.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

void check(const EnumeratedProblem& problem, const Vector& w, double alpha) {
  if (!(alpha > 0.0 && alpha <= 1.0)) {
    throw_caller_error(
        "exact: alpha is {}; give a number above 0 and at most 1", alpha);
  }
  if (w.size() != problem.objectives()) {
    throw_caller_error(
        "exact: {} weights meet {} rewards; give one each",
        w.size(),
        problem.objectives());
  }
}

}  // namespace

void add_share(PolicyScore& mean, double share, const PolicyScore& one) {
  mean.rewards.resize(one.rewards.size(), 0.0);
  mean.values.resize(one.values.size(), 0.0);
  mean.value += share * one.value;
  mean.kl += share * one.kl;
  mean.rewards = combine(1.0, mean.rewards, share, one.rewards);
  mean.values = combine(1.0, mean.values, share, one.values);
}

PolicyScore score_policy(
    const EnumeratedProblem& problem,
    const Vector& log_probs,
    const Vector& w,
    double alpha) {
  check(problem, w, alpha);
  const Vector probabilities = exponentials(log_probs);
  PolicyScore score;
  score.kl = kl_divergence(log_probs, problem.reference);
  score.value = -alpha * score.kl;
  for (std::size_t i = 0; i < problem.objectives(); ++i) {
    const double reward = dot(probabilities, problem.rewards[i]);
    score.rewards.push_back(reward);
    score.values.push_back((1.0 - alpha) * reward - alpha * score.kl);
    score.value += (1.0 - alpha) * w[i] * reward;
  }
  return score;
}

Optimum optimum(
    const EnumeratedProblem& problem, const Vector& w, double alpha) {
  check(problem, w, alpha);
  const Vector tilted = combine(
      1.0,
      problem.reference,
      (1.0 - alpha) / alpha,
      weighted_sum(w, problem.rewards));
  if (alpha == 1.0) return {problem.reference, 0.0, 0.0};
  const double log_z = log_sum_exp(tilted);
  return {log_softmax(tilted), log_z, alpha * log_z};
}

double loss_to_optimum(
    const EnumeratedProblem& problem,
    const Vector& log_probs,
    const Vector& w,
    double alpha) {
  const Optimum best = optimum(problem, w, alpha);
  return alpha * kl_divergence(log_probs, best.log_probs);
}

EnumeratedProblem make_bandit(std::uint64_t seed, int outputs, int objectives) {
  SplitMix64 random(seed);
  EnumeratedProblem bandit;
  bandit.reference = log_softmax(random.normals(outputs));
  for (int i = 0; i < objectives; ++i)
    bandit.rewards.push_back(random.uniforms(outputs));
  return bandit;
}

}  // namespace moft::exact
