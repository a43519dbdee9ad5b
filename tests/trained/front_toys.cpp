// Toy fronts trained by exact gradients.
#include "tests/trained/front_toys.h"

#include <cmath>
#include <utility>

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

constexpr int kSampled = 50;

Matrix training_weightings(int objectives) {
  if (objectives == 2) return midpoint_weightings(kSampled);
  Matrix weightings;
  SplitMix64 random(3);
  for (int k = 0; k < kSampled; ++k)
    weightings.push_back(random.dirichlet1(objectives));
  return weightings;
}

// Gradient of (1 - alpha) r.pi - alpha KL(pi || ref) in the logits.
Vector value_gradient(
    const Vector& logits,
    const Vector& reward,
    const Vector& reference,
    double alpha) {
  const Vector log_pi = log_softmax(logits);
  Vector pi = exponentials(log_pi);
  double mean = 0;
  Vector gain(pi.size());
  for (std::size_t a = 0; a < pi.size(); ++a) {
    gain[a] = (1 - alpha) * reward[a] - alpha * (log_pi[a] - reference[a]);
    mean += pi[a] * gain[a];
  }
  for (std::size_t a = 0; a < pi.size(); ++a)
    pi[a] *= gain[a] - mean;
  return pi;
}

void add(Vector& to, double factor, const Vector& from) {
  for (std::size_t a = 0; a < to.size(); ++a)
    to[a] += factor * from[a];
}

}  // namespace

std::vector<int> split_steps(int steps, int runs) {
  std::vector<int> shares(static_cast<std::size_t>(runs), steps / runs);
  for (int i = 0; i < steps % runs; ++i)
    ++shares[static_cast<std::size_t>(i)];
  return shares;
}

Matrix train_experts(
    const EnumeratedProblem& problem, const FrontTraining& training) {
  const std::size_t m = problem.objectives();
  const auto steps = split_steps(training.steps, static_cast<int>(m));
  Matrix experts(m, problem.reference);
  for (std::size_t i = 0; i < m; ++i) {
    for (int step = 0; step < steps[i]; ++step) {
      add(experts[i],
          training.step_size,
          value_gradient(
              experts[i],
              problem.rewards[i],
              problem.reference,
              training.alpha));
    }
  }
  return experts;
}

Matrix train_copies(
    const EnumeratedProblem& problem,
    const FrontTraining& training,
    const Matrix& weightings) {
  const std::size_t m = problem.objectives();
  const double rate =
      training.step_size / static_cast<double>(weightings.size());
  Matrix rewards;
  for (const Vector& w : weightings)
    rewards.push_back(weighted_sum(w, problem.rewards));
  Matrix copies(m, problem.reference);
  for (int step = 0; step < training.steps; ++step) {
    Matrix sums(m, Vector(problem.outputs(), 0.0));
    for (std::size_t k = 0; k < weightings.size(); ++k) {
      const Vector gradient = value_gradient(
          weighted_sum(weightings[k], copies),
          rewards[k],
          problem.reference,
          training.alpha);
      for (std::size_t i = 0; i < m; ++i)
        add(sums[i], weightings[k][i], gradient);
    }
    for (std::size_t i = 0; i < m; ++i)
      add(copies[i], rate, sums[i]);
  }
  return copies;
}

Matrix midpoint_weightings(int count) {
  Matrix weightings;
  for (int k = 0; k < count; ++k) {
    const double lambda = (k + .5) / count;
    weightings.push_back({1 - lambda, lambda});
  }
  return weightings;
}

EnumeratedProblem front_problem(
    FrontKind kind, std::uint64_t seed, int outputs, int objectives) {
  SplitMix64 random(seed);
  EnumeratedProblem problem;
  Vector logits = random.normals(outputs);
  for (double& logit : logits)
    logit *= .5;
  problem.reference = log_softmax(logits);
  if (kind == FrontKind::kRandom) {
    for (int i = 0; i < objectives; ++i)
      problem.rewards.push_back(random.uniforms(outputs));
    return problem;
  }
  Matrix directions;
  for (int a = 0; a < outputs; ++a) {
    Vector direction = random.dirichlet1(objectives);
    const double length = std::sqrt(dot(direction, direction));
    for (double& x : direction)
      x = kind == FrontKind::kConcave ? x / length : x * x;
    directions.push_back(direction);
  }
  problem.rewards.assign(objectives, Vector(outputs));
  for (int a = 0; a < outputs; ++a) {
    const double scale = .7 + .3 * random.uniform();
    for (int i = 0; i < objectives; ++i)
      problem.rewards[i][a] = directions[a][i] * scale;
  }
  return problem;
}

FrontComparison compare_training(
    const EnumeratedProblem& problem,
    const FrontTraining& training,
    const Matrix& weightings) {
  const Matrix experts = train_experts(problem, training);
  const Matrix copies = train_copies(
      problem,
      training,
      training_weightings(static_cast<int>(problem.objectives())));
  FrontComparison result;
  for (const Vector& w : weightings) {
    const auto value = [&](const Matrix& sources) {
      const Vector log_probs = log_softmax(weighted_sum(w, sources));
      return score_policy(problem, log_probs, w, training.alpha).value;
    };
    result.soup.push_back(value(experts));
    result.together.push_back(value(copies));
    result.optimum.push_back(optimum(problem, w, training.alpha).value);
  }
  return result;
}

Matrix comparison_weightings(int objectives) {
  Matrix weightings;
  if (objectives == 2) {
    for (int i = 0; i <= 10; ++i)
      weightings.push_back({1 - i / 10.0, i / 10.0});
    return weightings;
  }
  const double third = 1.0 / 3;
  return {
      {1, 0, 0},
      {0, 1, 0},
      {0, 0, 1},
      {.5, .5, 0},
      {.5, 0, .5},
      {0, .5, .5},
      {.6, .3, .1},
      {.6, .1, .3},
      {.3, .6, .1},
      {.3, .1, .6},
      {.1, .6, .3},
      {.1, .3, .6},
      {third, third, third}};
}

}  // namespace moft::exact
