#include "moft/exact/multi_kl.h"

#include <cmath>

namespace moft::exact {
namespace {

constexpr int kAlphas = 400;
constexpr double kAlphaMin = 0.01;

// The mean value of theta over the alphas, and its gradient.
struct Objective {
  EnumeratedProblem problem;  // one reward
  Vector alphas, amounts;

  Vector policy(const Vector& theta, double amount) const {
    return log_softmax(combine(1.0 - amount, theta, amount, problem.reference));
  }

  Vector gradient(const Vector& theta) const {
    Vector sum(theta.size(), 0.0);
    const double share = 1.0 / static_cast<double>(alphas.size());
    for (std::size_t k = 0; k < alphas.size(); ++k) {
      const Vector log_pi = policy(theta, amounts[k]);
      const Vector pi = exponentials(log_pi);
      const double alpha = alphas[k];
      const Vector ratio = combine(1.0, log_pi, -1.0, problem.reference);
      const Vector gain =
          combine(1.0 - alpha, problem.rewards[0], -alpha, ratio);
      const double mean = dot(pi, gain);
      for (std::size_t a = 0; a < sum.size(); ++a)
        sum[a] += share * (1.0 - amounts[k]) * pi[a] * (gain[a] - mean);
    }
    return sum;
  }
};

// Ascent with the step lengths of Barzilai and Borwein (1988).
Vector ascend(const Objective& objective) {
  Vector theta = objective.problem.reference;
  Vector gradient = objective.gradient(theta);
  double length = 1.0;
  for (int step = 0; step < 20000; ++step) {
    const Vector next = combine(1.0, theta, length, gradient);
    const Vector slope = objective.gradient(next);
    const Vector moved = combine(1.0, next, -1.0, theta);
    const Vector bent = combine(1.0, gradient, -1.0, slope);
    const double curvature = dot(moved, bent);
    theta = next;
    gradient = slope;
    if (dot(gradient, gradient) < 1e-24) break;
    length = curvature > 0.0 ? dot(moved, moved) / curvature : 1.0;
  }
  return theta;
}

}  // namespace

MultiKlFit fit_multi_kl(std::uint64_t seed, int outputs, FMix f_mix) {
  const EnumeratedProblem bandit = make_bandit(seed, outputs, 2);
  Objective objective;
  objective.problem = {
      bandit.reference,
      {combine(0.9, bandit.rewards[0], 0.1, bandit.rewards[1])}};
  const KlRange drawn(kAlphaMin);
  const KlRange range(kAlphaMin, f_mix);
  for (int k = 0; k < kAlphas; ++k) {
    objective.alphas.push_back(drawn.alpha_of((k + 0.5) / kAlphas));
    objective.amounts.push_back(range.mixing_amount(objective.alphas.back()));
  }
  const Vector theta = ascend(objective);
  const auto score = [&](double alpha) {
    return score_policy(
        objective.problem,
        objective.policy(theta, range.mixing_amount(alpha)),
        {1.0},
        alpha);
  };
  MultiKlFit fit;
  for (const double alpha : objective.alphas) {
    fit.mean_regret +=
        (optimum(objective.problem, {1.0}, alpha).value - score(alpha).value) /
        kAlphas;
  }
  for (const double alpha : {.01, .02, .05, .1, .2, .5, .9, 1.0}) {
    const PolicyScore one = score(alpha);
    fit.rewards.push_back(one.rewards[0]);
    fit.kl.push_back(one.kl);
    fit.values.push_back(one.value);
  }
  return fit;
}

}  // namespace moft::exact
