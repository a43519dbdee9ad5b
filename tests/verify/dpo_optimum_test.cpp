// Where preference optimisation leads on the enumerated task: with labels of
// Bradley and Terry's model, to the optimum of the regularised value.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "moft/algorithms/preferences.h"
#include "moft/weightings/grid.h"

#include "verify/enum_task.h"

namespace moft::exact {
namespace {

at::Tensor tensor(const Vector& values) {
  return at::tensor(
      std::vector<double>(values.begin(), values.end()), at::kDouble);
}

// All pairs of the outputs of one prompt, drawn from the reference.
class Population {
 public:
  Population(
      const EnumeratedProblem& problem,
      const Vector& w,
      double alpha,
      const PreferenceLossOptions& options)
      : beta_(preference_beta(alpha)), reference_(tensor(problem.reference)) {
    const auto n = static_cast<std::int64_t>(problem.outputs());
    std::vector<at::Tensor> columns;
    for (const Vector& reward : problem.rewards)
      columns.push_back(tensor(reward));
    const at::Tensor rewards = at::stack(columns, 1);
    const at::Tensor all = at::arange(n, at::kLong);
    first_ = all.repeat_interleave(n);
    second_ = all.repeat({n});
    mass_ = (reference_.index_select(0, first_) +
             reference_.index_select(0, second_))
                .exp();
    targets_ = preference_targets(
        rewards.index_select(0, first_),
        rewards.index_select(0, second_),
        tensor(w).expand({n * n, -1}),
        options);
    // The loss is linear in what a pair counts.
    targets_.kept = targets_.kept * mass_;
  }

  at::Tensor margins(const at::Tensor& log_ratios) const {
    return beta_ * (log_ratios.index_select(0, first_) -
                    log_ratios.index_select(0, second_));
  }
  double loss(const at::Tensor& log_ratios) const {
    return dpo_loss(margins(log_ratios), targets_).item<double>();
  }
  // d loss / d log ratios
  at::Tensor gradient(const at::Tensor& log_ratios) const {
    const at::Tensor slope = beta_ * dpo_slope(margins(log_ratios), targets_);
    at::Tensor gradient = at::zeros_like(reference_);
    gradient.index_add_(0, first_, -slope);
    gradient.index_add_(0, second_, slope);
    return gradient;
  }
  // Newton's method from the reference; returns log pi.
  at::Tensor minimum() const {
    const std::int64_t n = reference_.numel();
    at::Tensor h = at::zeros_like(reference_);
    for (int step = 0; step < 30; ++step) {
      const at::Tensor s = at::sigmoid(margins(h));
      const at::Tensor weight =
          (beta_ * beta_ * targets_.kept * s * (1 - s)).view({n, n});
      const at::Tensor both = weight + weight.t();
      // Log ratios are known up to a constant, which the ones fix.
      const at::Tensor hessian =
          at::diag(both.sum(1)) - both + at::ones({n, n}, at::kDouble) / n;
      h = h - at::linalg_solve(hessian, gradient(h));
    }
    return at::log_softmax(reference_ + h, 0);
  }

 private:
  double beta_;
  at::Tensor reference_, first_, second_, mass_;
  PreferenceTargets targets_;
};

Vector weights_of(const Weighting& w) {
  return Vector(w.values().begin(), w.values().end());
}

double distance(const at::Tensor& log_probs, const Vector& other) {
  return (log_probs - tensor(other)).abs().max().item<double>();
}

// Row 118 of the paper's table: pi* ~ ref exp((1 - alpha) w.R / alpha).
TEST(DpoOptimum, IsTheRegularisedOptimumForEveryWeighting) {
  const EnumTask task;
  const PreferenceLossOptions options;  // bradley_terry
  for (const Weighting& w : simplex_cover(3, 15)) {
    for (const double alpha : {0.1, 0.5}) {
      for (std::size_t prompt = 0; prompt < task.prompts().size(); ++prompt) {
        const EnumeratedProblem& problem = task.problem(prompt);
        const Population population(problem, weights_of(w), alpha, options);
        const Vector best = optimum(problem, weights_of(w), alpha).log_probs;
        const at::Tensor log_ratios = tensor(best) - tensor(problem.reference);
        EXPECT_LT(
            population.gradient(log_ratios).abs().max().item<double>(), 1e-15);
        const at::Tensor zero = at::zeros_like(log_ratios);
        EXPECT_LE(population.loss(log_ratios), population.loss(zero) + 1e-15);
      }
    }
  }
}

TEST(DpoOptimum, IsWhereTheLossLeads) {
  const EnumTask task;
  for (const Weighting& w : simplex_cover(3, 3)) {
    const Population population(
        task.problem(0), weights_of(w), 0.1, PreferenceLossOptions{});
    const Vector best = optimum(task.problem(0), weights_of(w), 0.1).log_probs;
    EXPECT_LT(distance(population.minimum(), best), 1e-8);
  }
}

// A label that is wrong one time in five: the robust loss still leads to pi*,
// the smoothed one to a policy nearer to the reference.
TEST(DpoOptimum, RobustLossKeepsItUnderLabelNoise) {
  const EnumTask task;
  const Vector w{0.5, 0.3, 0.2};
  const double alpha = 0.1;
  const EnumeratedProblem& problem = task.problem(0);
  const Vector best = optimum(problem, w, alpha).log_probs;
  PreferenceLossOptions smoothed;
  smoothed.label_smoothing = 0.2;
  const Population population(problem, w, alpha, smoothed);
  EXPECT_GT(
      loss_to_optimum(
          problem,
          [&] {
            const at::Tensor found = population.minimum().contiguous();
            const double* first = found.const_data_ptr<double>();
            return Vector(first, first + found.numel());
          }(),
          w,
          alpha),
      1e-3);
  // Targets (1 - 2 e) q + e are what noisy labels are on average; the robust
  // loss is linear in them and gives back q.
  PreferenceLossOptions robust = smoothed;
  robust.loss_type = PreferenceLoss::kRobust;
  const PreferenceTargets back = [&] {
    const at::Tensor one = at::ones({1, 1}, at::kDouble);
    return preference_targets(one, one * 0.25, one, robust);
  }();
  const double q = 1.0 / (1.0 + std::exp(-0.75));
  const double of_noisy = back.first.item<double>() * (1 - 2 * 0.2) + 0.2;
  EXPECT_NEAR(of_noisy, q, 1e-15);
}

}  // namespace
}  // namespace moft::exact
