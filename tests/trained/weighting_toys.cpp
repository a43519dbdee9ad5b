// Toys trained on other weightings.
#include "tests/trained/weighting_toys.h"

#include <algorithm>

#include "moft/evaluation/metrics.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

constexpr int kTrained = 50;  // weightings trained on, as in front_toys.cpp
constexpr int kRead = 100;

PolicyScore score_at(
    const EnumeratedProblem& problem,
    const Matrix& copies,
    const Vector& w,
    double alpha) {
  return score_policy(problem, log_softmax(weighted_sum(w, copies)), w, alpha);
}

bool in_band(const Vector& w) {
  return w[1] > .4 && w[1] < .6;
}

double mean(const Vector& values) {
  double sum = 0.0;
  for (const double value : values)
    sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Matrix dirichlet_weightings(int concentration, int objectives, int count) {
  SplitMix64 random(7);
  Matrix weightings;
  for (int k = 0; k < count; ++k) {
    Vector w(static_cast<std::size_t>(objectives), 0.0);
    double sum = 0.0;
    for (double& x : w) {
      for (int draw = 0; draw < concentration; ++draw)
        x += random.exponential();
      sum += x;
    }
    for (double& x : w)
      x /= sum;
    weightings.push_back(w);
  }
  return weightings;
}

ToyFront read_front(
    const EnumeratedProblem& problem, const Matrix& copies, double alpha) {
  const Matrix weightings = comparison_weightings(2);
  Matrix points;
  Vector kl;
  for (const Vector& w : weightings) {
    const PolicyScore score = score_at(problem, copies, w, alpha);
    points.push_back(score.rewards);
    kl.push_back(score.kl);
  }
  ToyFront front;
  for (std::size_t i = 0; i < problem.objectives(); ++i) {
    const auto [low, high] = std::minmax_element(
        points.begin(), points.end(), [i](const Vector& a, const Vector& b) {
          return a[i] < b[i];
        });
    front.extent.push_back((*high)[i] - (*low)[i]);
  }
  const Vector alphas(weightings.size(), alpha);
  front.diagonal_share =
      diagonal_share(cross_values(points, kl, weightings, alphas));
  return front;
}

BandRegret removed_band_regret(
    const EnumeratedProblem& problem, const FrontTraining& training) {
  Matrix trained = midpoint_weightings(kTrained);
  trained.erase(
      std::remove_if(trained.begin(), trained.end(), in_band), trained.end());
  const Matrix copies = train_copies(problem, training, trained);
  Vector inside, outside;
  for (const Vector& w : midpoint_weightings(kRead)) {
    const double regret = optimum(problem, w, training.alpha).value -
                          score_at(problem, copies, w, training.alpha).value;
    (in_band(w) ? inside : outside).push_back(regret);
  }
  return {mean(inside), mean(outside)};
}

}  // namespace moft::exact
