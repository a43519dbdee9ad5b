// One reward at many KL strengths, fitted by exact gradients.
#include "verify/multi_kl.h"

#include <utility>

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

  // The value; its gradient is added to `gradient`.
  double value(const Vector& theta, Vector& gradient) const {
    double value = 0.0;
    const double share = 1.0 / static_cast<double>(alphas.size());
    for (std::size_t k = 0; k < alphas.size(); ++k) {
      const Vector log_pi = policy(theta, amounts[k]);
      const Vector pi = exponentials(log_pi);
      const double alpha = alphas[k];
      const Vector ratio = combine(1.0, log_pi, -1.0, problem.reference);
      const Vector gain =
          combine(1.0 - alpha, problem.rewards[0], -alpha, ratio);
      const double mean = dot(pi, gain);
      value += share * mean;
      for (std::size_t a = 0; a < theta.size(); ++a)
        gradient[a] += share * (1.0 - amounts[k]) * pi[a] * (gain[a] - mean);
    }
    return value;
  }
};

// A point with its value and gradient.
struct Point {
  Vector theta, gradient;
  double value = 0.0;
};

Point point_at(const Objective& objective, const Vector& theta) {
  Point point{theta, Vector(theta.size(), 0.0), 0.0};
  point.value = objective.value(theta, point.gradient);
  return point;
}

// The inverse curvature after a move `moved` that bent the gradient by `bent`
// (BFGS).
void update_inverse(Matrix& inverse, const Vector& moved, const Vector& bent) {
  const double along = dot(moved, bent);
  if (!(along > 0.0)) return;
  Vector turned;
  for (const Vector& row : inverse)
    turned.push_back(dot(row, bent));
  const double factor = 1.0 + dot(bent, turned) / along;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    for (std::size_t j = 0; j < moved.size(); ++j) {
      inverse[i][j] += (factor * moved[i] * moved[j] - turned[i] * moved[j] -
                        moved[i] * turned[j]) /
                       along;
    }
  }
}

// BFGS from the reference, each step halved until it climbs.
Vector ascend(const Objective& objective) {
  Point here = point_at(objective, objective.problem.reference);
  const std::size_t n = here.theta.size();
  Matrix inverse(n, Vector(n, 0.0));
  for (std::size_t i = 0; i < n; ++i)
    inverse[i][i] = 1.0;
  for (int step = 0; step < 2000; ++step) {
    if (dot(here.gradient, here.gradient) < 1e-22) break;
    Vector direction;
    for (const Vector& row : inverse)
      direction.push_back(dot(row, here.gradient));
    const double slope = dot(direction, here.gradient);
    double length = 1.0;
    Point next;
    do {
      next = point_at(objective, combine(1.0, here.theta, length, direction));
      length *= 0.5;
    } while (next.value < here.value + 1e-4 * length * slope && length > 1e-12);
    if (length <= 1e-12) break;
    update_inverse(
        inverse,
        combine(1.0, next.theta, -1.0, here.theta),
        combine(1.0, here.gradient, -1.0, next.gradient));
    here = std::move(next);
  }
  return here.theta;
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
