#include "moft/weightings/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr int kDraws = 100000;

// Mean b_i / b and variance b_i (b - b_i) / (b^2 (b + 1)) of each value,
// within five standard errors (the fourth moment is at most the second: the
// values lie in [0, 1]).
void expect_dirichlet_moments(const std::vector<double>& b) {
  RandomStream stream(11, Purpose::kTest);
  const double total = std::accumulate(b.begin(), b.end(), 0.0);
  std::vector<double> sum(b.size()), squares(b.size());
  for (int n = 0; n < kDraws; ++n) {
    const auto w = sample_dirichlet(b, stream);
    for (std::size_t i = 0; i < b.size(); ++i) {
      const double centred = w[i] - b[i] / total;
      sum[i] += centred;
      squares[i] += centred * centred;
    }
  }
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double variance =
        b[i] * (total - b[i]) / (total * total * (total + 1));
    const double error = 5 * std::sqrt(variance / kDraws);
    EXPECT_NEAR(sum[i] / kDraws, 0.0, error);
    EXPECT_NEAR(squares[i] / kDraws, variance, error);
  }
}

TEST(Dirichlet, MomentsEqualTheClosedForms) {
  // Variances 1/12, .15625, 1/18, .11695906 of the science table.
  expect_dirichlet_moments({1, 1});
  expect_dirichlet_moments({0.3, 0.3});
  expect_dirichlet_moments({1, 1, 1});
  expect_dirichlet_moments({0.3, 0.3, 0.3});
  expect_dirichlet_moments({5, 0.5, 1.5});
}

double share_above_nine_tenths(const std::vector<double>& concentration) {
  RandomStream stream(12, Purpose::kTest);
  int above = 0;
  for (int n = 0; n < kDraws; ++n) {
    const auto w = sample_dirichlet(concentration, stream).values();
    above += *std::max_element(w.begin(), w.end()) > 0.9;
  }
  return static_cast<double>(above) / kDraws;
}

TEST(Dirichlet, MassNearTheCorners) {
  EXPECT_NEAR(share_above_nine_tenths({1, 1}), 0.2, 0.007);
  EXPECT_NEAR(share_above_nine_tenths({1, 1, 1}), 0.03, 0.003);
  EXPECT_NEAR(share_above_nine_tenths({0.3, 0.3}), 0.564, 0.008);
  EXPECT_NEAR(share_above_nine_tenths({0.3, 0.3, 0.3}), 0.309, 0.008);
}

// As concentrations fall to 0 the draw becomes corner i with probability
// b_i / sum b: never 0/0.
TEST(Dirichlet, TinyConcentrationsGiveCorners) {
  for (const double scale : {1e-4, 1e-12, 1e-100, 1e-308, 5e-324}) {
    RandomStream stream(13, Purpose::kTest);
    int first = 0;
    constexpr int n = 20000;
    for (int i = 0; i < n; ++i) {
      const auto w = sample_dirichlet({scale, scale, 2 * scale}, stream);
      for (const double value : w.values())
        ASSERT_TRUE(std::isfinite(value));
      first += w[2] > 0.5;
    }
    EXPECT_NEAR(first / static_cast<double>(n), 0.5, 5 * 0.5 / std::sqrt(n));
  }
}

TEST(Dirichlet, HugeConcentrationsGiveTheMean) {
  RandomStream stream(14, Purpose::kTest);
  const auto w = sample_dirichlet({3e8, 1e8}, stream);
  EXPECT_NEAR(w[0], 0.75, 1e-3);
}

TEST(WeightingSampler, CornerProbabilityAddsItsShareToEachCorner) {
  const WeightingSampler sampler(DirichletSampling{{1, 1, 1}, 0.3});
  RandomStream stream(15, Purpose::kTest);
  std::vector<int> corners(3);
  for (int n = 0; n < kDraws; ++n) {
    const auto w = sampler.draw(stream);
    for (std::size_t i = 0; i < 3; ++i)
      corners[i] += w[i] == 1.0;
  }
  for (const int count : corners) {
    EXPECT_NEAR(count, 0.1 * kDraws, 5 * std::sqrt(0.09 * kDraws));
  }
}

TEST(WeightingSampler, GridIsUniformOverItsPointsAndFixedIsFixed) {
  const std::vector<Weighting> points = {
      Weighting({0, 1}), Weighting({0.25, 0.75}), Weighting({1, 0})};
  const WeightingSampler grid(GridSampling{points});
  RandomStream stream(16, Purpose::kTest);
  std::vector<int> counts(3);
  for (int n = 0; n < 30000; ++n) {
    const auto found =
        std::find(points.begin(), points.end(), grid.draw(stream));
    ASSERT_NE(found, points.end());
    ++counts[found - points.begin()];
  }
  for (const int count : counts)
    EXPECT_NEAR(count, 10000, 5 * 82);
  const WeightingSampler fixed(FixedSampling{points[1]});
  EXPECT_EQ(fixed.draw(stream), points[1]);
  EXPECT_EQ(fixed.objectives(), 2u);
}

TEST(WeightingSampler, SameStreamSameDraws) {
  const WeightingSampler sampler(DirichletSampling{{0.3, 0.7}, 0.1});
  for (std::uint32_t step = 0; step < 50; ++step) {
    RandomStream a(1, Purpose::kWeighting, step),
        b(1, Purpose::kWeighting, step);
    EXPECT_EQ(sampler.draw(a), sampler.draw(b));
  }
}

TEST(WeightingSampler, RefusesWhatIsNoDistribution) {
  using Sampler = WeightingSampler;
  EXPECT_THROW(Sampler(DirichletSampling{{}}), CallerError);
  EXPECT_THROW(Sampler(DirichletSampling{{1, 0}}), CallerError);
  EXPECT_THROW(Sampler(DirichletSampling{{1, -1}}), CallerError);
  EXPECT_THROW(Sampler(DirichletSampling{{1, NAN}}), CallerError);
  EXPECT_THROW(Sampler(DirichletSampling{{1, INFINITY}}), CallerError);
  EXPECT_THROW(Sampler(DirichletSampling{{1, 1}, 1.5}), CallerError);
  EXPECT_THROW(Sampler(GridSampling{}), CallerError);
  EXPECT_THROW(
      Sampler(GridSampling{{Weighting({1.0}), Weighting({0.5, 0.5})}}),
      CallerError);
  EXPECT_THROW(Sampler(FixedSampling{}), CallerError);
}

// alpha from the inverse sampler: f_mix(alpha) uniform, E alpha =
// alpha_min ln(1/alpha_min) / (1 - alpha_min), E alpha^2 = alpha_min exactly.
TEST(AlphaSampler, InverseMakesTheMixingAmountUniform) {
  const KlRange range(0.01);
  const AlphaSampler sampler(AlphaDistribution::kInverse, range);
  RandomStream stream(17, Purpose::kTest);
  double sum = 0, squares = 0, fourths = 0;
  std::vector<double> mixed;
  for (int n = 0; n < kDraws; ++n) {
    const double alpha = sampler.draw(stream);
    sum += alpha;
    squares += alpha * alpha;
    fourths += std::pow(alpha, 4);
    mixed.push_back(range.mixing_amount(alpha));
  }
  EXPECT_NEAR(sum / kDraws, 0.0465168706, 5 * std::sqrt(0.0078361808 / kDraws));
  const double spread = std::sqrt(fourths / kDraws - 1e-4);
  EXPECT_NEAR(squares / kDraws, 0.01, 5 * spread / std::sqrt(kDraws));
  std::sort(mixed.begin(), mixed.end());
  double distance = 0;  // Kolmogorov-Smirnov
  for (int n = 0; n < kDraws; ++n) {
    distance = std::max(distance, std::abs(mixed[n] - (n + 0.5) / kDraws));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(kDraws));  // p = .001
}

TEST(AlphaSampler, UniformAndFixed) {
  const KlRange range(0.2, FMix::kLinear);
  RandomStream stream(18, Purpose::kTest);
  const AlphaSampler uniform(AlphaDistribution::kUniform, range);
  double sum = 0, lowest = 1, highest = 0;
  for (int n = 0; n < kDraws; ++n) {
    const double alpha = uniform.draw(stream);
    sum += alpha;
    lowest = std::min(lowest, alpha);
    highest = std::max(highest, alpha);
  }
  EXPECT_NEAR(sum / kDraws, 0.6, 5 * 0.8 / std::sqrt(12.0 * kDraws));
  EXPECT_GE(lowest, 0.2);
  EXPECT_LE(highest, 1.0);
  EXPECT_EQ(AlphaSampler(AlphaDistribution::kFixed, range).draw(stream), 0.2);
  EXPECT_THROW(
      AlphaSampler(AlphaDistribution::kInverse, KlRange(0.0)), CallerError);
}

}  // namespace
}  // namespace moft
