// f(E[R]) by policy gradient: expected gradients as exact sums over all groups.
#include "moft/algorithms/expected_rewards.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/rewards.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

using Vector = std::vector<double>;

at::Tensor row(const Vector& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor labels(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// w_1 R_1 R_2: quadratic, so that its gradient is affine.
class Product final : public Scalarisation {
 public:
  double value(
      std::span<const double> r, std::span<const double> w) const override {
    return w[0] * r[0] * r[1];
  }
  std::vector<double> gradient(
      std::span<const double> r, std::span<const double> w) const override {
    return {w[0] * r[1], w[0] * r[0]};
  }
};

TEST(LinearisedRewards, OfAHandWorkedGroup) {
  // Two groups; the others' means of the first are (1, 2), (.5, 2.5), (.5, .5).
  const at::Tensor rewards = at::stack(
      {row({0, 1}), row({7, 7}), row({1, 0}), row({7, 7}), row({1, 4})});
  const auto result = linearised_rewards(
      rewards, row({2.0, 0.0}), labels({4, 9, 4, 9, 4}), Product());
  // f(M) = 2 M_1 M_2; slope (2 M_2, 2 M_1).
  EXPECT_LT(
      largest_difference(result.baseline, row({4, 98, 2.5, 98, 0.5})), 1e-14);
  EXPECT_LT(
      largest_difference(
          result.value - result.baseline,
          row({-4 - 2, 0, 2.5 - 2.5, 0, 0.5 + 3.5})),
      1e-14);
}

TEST(LinearisedRewards, OfALinearOneAreRewardsAndLeaveOneOut) {
  const at::Tensor rewards =
      at::stack({row({.1, .7}), row({.3, .2}), row({.9, .4}), row({.5, .6})});
  const at::Tensor w = row({.3, .7});
  const at::Tensor groups = labels({0, 0, 1, 1});
  const auto result =
      linearised_rewards(rewards, w, groups, LinearScalarisation());
  const at::Tensor scalar = scalarise(rewards, w);
  EXPECT_LT(largest_difference(result.value, scalar), 1e-15);
  EXPECT_LT(
      largest_difference(
          result.baseline, leave_one_out_baseline(scalar, groups)),
      1e-15);
}

TEST(LinearisedRewards, NothingIsLeftOfTies) {
  // The mean of three .1 is not .1 in double.
  const at::Tensor rewards = row({.1, .1, .1, .1}).unsqueeze(1).expand({4, 2});
  const auto result = linearised_rewards(
      rewards,
      row({.5, .5}),
      labels({0, 0, 0, 0}),
      NashScalarisation({0.0, 0.0}, 0.01));
  EXPECT_TRUE(at::equal(result.value, result.baseline));
}

TEST(LinearisedRewards, RefuseAGroupOfOne) {
  const at::Tensor rewards = at::stack({row({0, 1}), row({1, 0})});
  EXPECT_THROW(
      linearised_rewards(
          rewards, row({.5, .5}), labels({0, 1}), LinearScalarisation()),
      CallerError);
  EXPECT_THROW(
      linearised_rewards(
          rewards, row({1.0}), labels({0, 0}), LinearScalarisation()),
      CallerError);
}

TEST(TieLabels, TellGroupsThatTieInEveryColumn) {
  const at::Tensor columns = at::stack(
      {row({1, 2}), row({1, 2}), row({1, 2}), row({1, 3}), row({5, 5})});
  EXPECT_TRUE(at::equal(
      tie_labels(columns, labels({0, 0, 1, 1, 2})), row({0, 0, 0, 1, 0})));
}

// Both rows of the group have value 1, and yet they are not ties.
TEST(TieLabels, KeepAdvantagesOfEqualLinearisedRewards) {
  const at::Tensor rewards = at::stack({row({1, 0}), row({0, 1})});
  const at::Tensor groups = labels({0, 0});
  const auto linearised = linearised_rewards(
      rewards, row({1, 1}), groups, ChebyshevScalarisation({0.0, 0.0}));
  EXPECT_TRUE(at::equal(linearised.value, row({1, 1})));
  AdvantageTerms terms{linearised.value, linearised.baseline, groups, true};
  terms.compared = tie_labels(rewards, groups);
  EXPECT_TRUE(at::equal(
      make_advantages(terms, AdvantageNormalisation::kNone).advantages,
      row({1, 1})));
}

// ---- expected gradients ----------------------------------------------------

// Three outputs of the caved front under a softmax policy with these
// probabilities.
const std::vector<Vector> kOutputs{{1.0, 0.0}, {0.0, 1.0}, {0.4, 0.4}};
const Vector kPolicy{0.2, 0.3, 0.5};

// A of a group's rewards [G, 2].
using AdvantagesOf = std::function<at::Tensor(const at::Tensor& rewards)>;

// The expected value over all groups of `size` samples of the mean of
// A_k grad log pi(y_k), the gradient with respect to the three logits.
Vector expected_gradient(int size, const AdvantagesOf& advantages_of) {
  Vector gradient(3, 0.0);
  int groups = 1;
  for (int k = 0; k < size; ++k)
    groups *= 3;
  for (int code = 0; code < groups; ++code) {
    std::vector<std::size_t> drawn;
    std::vector<at::Tensor> rewards;
    double probability = 1.0;
    for (int k = 0, rest = code; k < size; ++k, rest /= 3) {
      drawn.push_back(static_cast<std::size_t>(rest % 3));
      rewards.push_back(row(kOutputs[drawn.back()]));
      probability *= kPolicy[drawn.back()];
    }
    const at::Tensor a = advantages_of(at::stack(rewards));
    for (std::size_t k = 0; k < drawn.size(); ++k) {
      const double share =
          probability * a[static_cast<std::int64_t>(k)].item<double>() / size;
      for (std::size_t y = 0; y < 3; ++y)
        gradient[y] += share * ((drawn[k] == y ? 1.0 : 0.0) - kPolicy[y]);
    }
  }
  return gradient;
}

Vector exact_gradient(const Scalarisation& f, const Vector& w) {
  Vector mean(2, 0.0);
  for (std::size_t y = 0; y < 3; ++y)
    for (std::size_t i = 0; i < 2; ++i)
      mean[i] += kPolicy[y] * kOutputs[y][i];
  const Vector slope = f.gradient(mean, w);
  Vector gradient;
  for (std::size_t y = 0; y < 3; ++y) {
    double gain = 0.0;
    for (std::size_t i = 0; i < 2; ++i)
      gain += slope[i] * (kOutputs[y][i] - mean[i]);
    gradient.push_back(kPolicy[y] * gain);
  }
  return gradient;
}

AdvantagesOf linearised(const Scalarisation& f, const Vector& w) {
  return [&f, w](const at::Tensor& rewards) {
    const at::Tensor groups = at::zeros({rewards.size(0)}, at::kLong);
    const auto result = linearised_rewards(rewards, row(w), groups, f);
    return result.value - result.baseline;
  };
}

void expect_near(const Vector& a, const Vector& b, double tolerance) {
  for (std::size_t y = 0; y < a.size(); ++y)
    EXPECT_NEAR(a[y], b[y], tolerance) << y;
}

TEST(ExpectedRewards, AreUnbiasedWhereTheGradientIsAffine) {
  const Vector w{1.0, 1.0};
  for (const int size : {2, 3, 4}) {
    expect_near(
        expected_gradient(size, linearised(Product(), w)),
        exact_gradient(Product(), w),
        1e-14);
    const LinearScalarisation linear;
    expect_near(
        expected_gradient(size, linearised(linear, {0.3, 0.7})),
        exact_gradient(linear, {0.3, 0.7}),
        1e-14);
  }
}

// Why each row is left out: with the mean of all rows even a quadratic f is
// off.
TEST(ExpectedRewards, AreBiasedWithTheRowsOwnRewardInTheMean) {
  const Vector w{1.0, 1.0};
  const auto of_all = [&](const at::Tensor& rewards) {
    const at::Tensor mean = rewards.mean(0);
    return (rewards - mean).select(1, 0) * mean[1] +
           (rewards - mean).select(1, 1) * mean[0];
  };
  const Vector biased = expected_gradient(3, of_all);
  const Vector exact = exact_gradient(Product(), w);
  double off = 0.0;
  for (std::size_t y = 0; y < 3; ++y)
    off = std::max(off, std::abs(biased[y] - exact[y]));
  EXPECT_GT(off, 1e-3);
}

// docs/methods/scalarisation.md has these as lengths and angles; worked out by
// enumeration elsewhere.
TEST(ExpectedRewards, BiasOfGroupsOfFourIsAsStated) {
  const Vector w{0.5, 0.5};
  const ChebyshevScalarisation chebyshev({1.0, 1.0});
  expect_near(exact_gradient(chebyshev, w), {0.06, -0.06, 0.0}, 1e-9);
  expect_near(
      expected_gradient(4, linearised(chebyshev, w)),
      {0.015285, -0.0051225, -0.0101625},
      1e-12);
  const SmoothMinimumScalarisation smooth({1.0, 1.0}, 0.1);
  expect_near(
      exact_gradient(smooth, w),
      {0.018470526, -0.00903201, -0.009438517},
      1e-9);
  expect_near(
      expected_gradient(4, linearised(smooth, w)),
      {0.013361608134, -0.002761973619, -0.010599634515},
      1e-12);
  const NashScalarisation nash({0.0, 0.0}, 0.05);
  expect_near(exact_gradient(nash, w), {0.05, 0.0, -0.05}, 1e-9);
  expect_near(
      expected_gradient(4, linearised(nash, w)),
      {0.087084642857, -0.021323035714, -0.065761607143},
      1e-12);
}

// Gradient ascent reaches row 136's optima: .5 of the expected rewards, .4 of
// each answer's.
TEST(ExpectedRewards, AscentReachesTheOptimaOfTheCavedFront) {
  const ChebyshevScalarisation f({0.0, 0.0});
  const Vector w{1.0, 1.0};
  for (const bool of_means : {true, false}) {
    Vector logits{0.02, 0.0, -0.01};
    Vector p(3);
    for (int step = 0; step < 4000; ++step) {
      const double rate = step < 3000 ? 1.0 : 0.01;  // ends beside the kink
      double sum = 0.0;
      for (std::size_t y = 0; y < 3; ++y)
        sum += p[y] = std::exp(logits[y]);
      Vector mean(2, 0.0);
      for (std::size_t y = 0; y < 3; ++y) {
        p[y] /= sum;
        for (std::size_t i = 0; i < 2; ++i)
          mean[i] += p[y] * kOutputs[y][i];
      }
      const Vector slope = f.gradient(mean, w);
      Vector gains(3);
      double average = 0.0;
      for (std::size_t y = 0; y < 3; ++y) {
        gains[y] = of_means
                       ? slope[0] * kOutputs[y][0] + slope[1] * kOutputs[y][1]
                       : f.value(kOutputs[y], w);
        average += p[y] * gains[y];
      }
      for (std::size_t y = 0; y < 3; ++y)
        logits[y] += rate * p[y] * (gains[y] - average);
    }
    if (of_means) {
      expect_near(p, {0.5, 0.5, 0.0}, 0.01);
    } else {
      expect_near(p, {0.0, 0.0, 1.0}, 0.01);
    }
  }
}

}  // namespace
}  // namespace moft
