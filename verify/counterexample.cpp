// The counterexample of section 6.2 by exact gradients.
#include "verify/counterexample.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/metrics.h"

namespace moft::exact {
namespace {

constexpr int kMidpoints = 100;

double midpoint(int k) {
  return (k + 0.5) / kMidpoints;
}

// Gradient of (1 - alpha) pi.R - alpha KL(pi || uniform) in the logits.
Vector logit_gradient(const Vector& logits, double lambda, double alpha) {
  const Vector pi = softmax(logits);
  Vector gain = mixed_reward(lambda);
  for (std::size_t a = 0; a < gain.size(); ++a) {
    gain[a] *= 1.0 - alpha;
    if (alpha > 0.0) gain[a] -= alpha * (std::log(pi[a]) - std::log(1.0 / 3.0));
  }
  const double mean = dot(pi, gain);
  for (std::size_t a = 0; a < gain.size(); ++a)
    gain[a] = pi[a] * (gain[a] - mean);
  return gain;
}

}  // namespace

const Matrix& counterexample_rewards() {
  static const Matrix kRewards = {{1.0, 0.0, 0.75}, {0.0, 1.0, 0.75}};
  return kRewards;
}

Vector mixed_reward(double lambda) {
  const Matrix& rewards = counterexample_rewards();
  return combine(1.0 - lambda, rewards[0], lambda, rewards[1]);
}

double best_reward(double lambda) {
  return std::max({1.0 - lambda, lambda, 0.75});
}

Vector train_expert(double lambda, const CounterexampleTraining& training) {
  Vector logits(3, 0.0);
  for (int step = 0; step < training.steps; ++step) {
    logits = combine(
        1.0,
        logits,
        training.step_size,
        logit_gradient(logits, lambda, training.alpha));
  }
  return logits;
}

Matrix train_together(const CounterexampleTraining& training) {
  Matrix copies(2, Vector(3, 0.0));
  for (int step = 0; step < training.steps; ++step) {
    Matrix sums(2, Vector(3, 0.0));
    for (int k = 0; k < kMidpoints; ++k) {
      const double lambda = midpoint(k);
      const Vector merged = combine(1.0 - lambda, copies[0], lambda, copies[1]);
      const Vector gradient = logit_gradient(merged, lambda, training.alpha);
      sums[0] = combine(1.0, sums[0], 1.0 - lambda, gradient);
      sums[1] = combine(1.0, sums[1], lambda, gradient);
    }
    for (int i = 0; i < 2; ++i) {
      copies[i] =
          combine(1.0, copies[i], training.step_size / kMidpoints, sums[i]);
    }
  }
  return copies;
}

Policy3 mixture(Vector first, Vector second) {
  return [first = std::move(first), second = std::move(second)](double lambda) {
    return softmax(combine(1.0 - lambda, first, lambda, second));
  };
}

Policy3 witness(double k) {
  const Matrix& rewards = counterexample_rewards();
  return mixture(
      combine(k, rewards[0], 0.0, rewards[0]),
      combine(k, rewards[1], 0.0, rewards[1]));
}

Policy3 regularised_optimum(double alpha) {
  return witness((1.0 - alpha) / alpha);
}

CounterexampleFront measure(const Policy3& policy) {
  CounterexampleFront front;
  for (int i = 0; i <= 10; ++i) {
    const double lambda = i / 10.0;
    const Vector pi = policy(lambda);
    front.points.push_back(
        {dot(pi, counterexample_rewards()[0]),
         dot(pi, counterexample_rewards()[1])});
    front.max_regret = std::max(
        front.max_regret, best_reward(lambda) - dot(pi, mixed_reward(lambda)));
  }
  for (int k = 0; k < kMidpoints; ++k)
    front.moft += dot(policy(midpoint(k)), mixed_reward(midpoint(k)));
  front.moft /= kMidpoints;
  front.hypervolume = moft::hypervolume(front.points, {0.0, 0.0});
  front.hull = moft::hull_hypervolume(front.points, {0.0, 0.0});
  return front;
}

}  // namespace moft::exact
