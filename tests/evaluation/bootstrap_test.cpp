#include "moft/evaluation/bootstrap.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/core/random.h"

namespace moft {
namespace {

std::vector<double> normals(std::size_t n, std::uint32_t row, double mean) {
  RandomStream random(3, Purpose::kTest, 0, row);
  std::vector<double> x(n);
  for (double& v : x)
    v = mean + random.normal();
  return x;
}

TEST(Quantile, IsLinearBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.1), 1.3);
  EXPECT_THROW(quantile({}, 0.5), CallerError);
}

TEST(Bootstrap, TwoPromptsFollowTheBinomial) {
  // Means 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
  const Bootstrap bootstrap(2, {.resamples = 20000, .seed = 9});
  std::vector<double> counts(3, 0.0);
  for (const double mean : bootstrap.resampled_means({0, 1})) {
    counts[static_cast<std::size_t>(2 * mean)] += 1.0 / 20000;
  }
  EXPECT_NEAR(counts[0], 0.25, 0.015);  // five standard errors
  EXPECT_NEAR(counts[1], 0.50, 0.018);
  EXPECT_NEAR(counts[2], 0.25, 0.015);
  const Interval interval = bootstrap.mean({0, 1});
  EXPECT_EQ(interval.mean, 0.5);
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 1);
}

TEST(Bootstrap, StandardErrorIsThePopulationOneOverRootN) {
  const std::vector<double> a = normals(300, 0, 1);
  const std::vector<double> b = normals(300, 1, 0);
  double mean = 0, square = 0;
  for (std::size_t n = 0; n < a.size(); ++n) {
    mean += (a[n] - b[n]) / 300;
    square += (a[n] - b[n]) * (a[n] - b[n]) / 300;
  }
  const double expected = std::sqrt((square - mean * mean) / 300);
  const Bootstrap bootstrap(300, {.resamples = 8000, .seed = 4});
  EXPECT_NEAR(bootstrap.paired_standard_error(a, b) / expected, 1, 0.04);
  const Interval gain = bootstrap.difference(a, b);
  EXPECT_NEAR(gain.mean, mean, 1e-12);
  EXPECT_NEAR(gain.low, mean - 1.96 * expected, 0.1 * expected);
  EXPECT_NEAR(gain.high, mean + 1.96 * expected, 0.1 * expected);
}

TEST(Bootstrap, PairingCancelsWhatBothShare) {
  std::vector<double> a = normals(100, 2, 0);
  std::vector<double> b = a;
  for (double& x : a)
    x += 0.25;
  const Bootstrap bootstrap(100, {.resamples = 500});
  EXPECT_NEAR(bootstrap.paired_standard_error(a, b), 0, 1e-12);
  EXPECT_NEAR(bootstrap.difference(a, b).low, 0.25, 1e-12);
  EXPECT_GT(bootstrap.paired_standard_error(a, normals(100, 3, 0)), 0.1);
}

TEST(Bootstrap, SameSeedSameBitsAndOneResampleDoesNotMoveAnother) {
  const std::vector<double> x = normals(50, 4, 0);
  const auto few =
      Bootstrap(50, {.resamples = 10, .seed = 1}).resampled_means(x);
  const auto many =
      Bootstrap(50, {.resamples = 40, .seed = 1}).resampled_means(x);
  const auto other =
      Bootstrap(50, {.resamples = 10, .seed = 2}).resampled_means(x);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, other);
}

TEST(Bootstrap, RefusesWhatItCannotUse) {
  EXPECT_THROW(Bootstrap(0), CallerError);
  EXPECT_THROW(Bootstrap(3, {.resamples = 0}), CallerError);
  EXPECT_THROW(Bootstrap(3, {.level = 1.0}), CallerError);
  const Bootstrap bootstrap(3);
  EXPECT_THROW(bootstrap.mean({1, 2}), CallerError);
  EXPECT_THROW(bootstrap.difference({1, 2, 3}, {1, 2}), CallerError);
}

TEST(FrontStepsBack, TwoPairedStandardErrorsAreTheBar) {
  // Differences are +-s around d, so the paired SE tends to s / sqrt(n).
  const std::size_t n = 400;
  const auto shifted = [&](double d) {
    std::vector<double> x(n);
    for (std::size_t k = 0; k < n; ++k)
      x[k] = d + (k % 2 ? 1.0 : -1.0);
    return x;
  };
  const std::vector<double> zero(n, 0.0);
  const Bootstrap bootstrap(n, {.resamples = 8000});
  const double error = 1 / std::sqrt(static_cast<double>(n));
  const auto check = [&](double d) {
    return front_steps_back({zero, shifted(d)}, {0, 1}, bootstrap);
  };
  EXPECT_TRUE(check(-1.9 * error).empty());
  ASSERT_EQ(check(-2.1 * error).size(), 1u);
  EXPECT_NEAR(check(-2.1 * error)[0].standard_error / error, 1, 0.03);
  EXPECT_NEAR(check(-2.1 * error)[0].difference, -2.1 * error, 1e-12);
  EXPECT_TRUE(check(+2.1 * error).empty());
  EXPECT_TRUE(front_steps_back({zero, zero}, {0, 1}, bootstrap).empty());
}

FrontPoint point(double w, double alpha, std::vector<double> scores) {
  FrontPoint p;
  p.weights = {{"a", w}, {"b", 1 - w}};
  p.alpha = alpha;
  p.per_prompt.rewards["a"] = std::move(scores);
  return p;
}

TEST(FrontStepsBack, WalksEachKlStrengthAlongTheObjectivesOwnWeight) {
  const Bootstrap bootstrap(2, {.resamples = 100});
  // Given in falling order; at alpha .1 the reward falls from .5 to 1.
  const std::vector<FrontPoint> points{
      point(1, .1, {.2, .2}),
      point(.5, .1, {.6, .6}),
      point(0, .1, {.1, .1}),
      point(1, .3, {.9, .9}),
      point(0, .3, {.0, .0})};
  const auto found = front_steps_back(points, "a", bootstrap);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].objective, "a");
  EXPECT_NEAR(found[0].from_weight, .5, 1e-9);
  EXPECT_NEAR(found[0].to_weight, 1, 1e-9);
  EXPECT_NEAR(found[0].difference, -.4, 1e-12);
}

TEST(FrontStepsBack, AveragesPointsOfEqualWeight) {
  const Bootstrap bootstrap(2, {.resamples = 100});
  // Three objectives: two points share weight 0; their mean is below .5.
  const std::vector<FrontPoint> points{
      point(0, .1, {.9, .9}), point(0, .1, {.0, .0}), point(1, .1, {.5, .5})};
  EXPECT_TRUE(front_steps_back(points, "a", bootstrap).empty());
}

TEST(DominanceTest, NeedsEveryWeighting) {
  const std::vector<double> base = normals(200, 7, 0);
  const auto plus = [&](double d) {
    std::vector<double> x = base;
    for (double& v : x)
      v += d;
    return x;
  };
  const Bootstrap bootstrap(200, {.resamples = 1000});
  const auto all =
      dominance_test({plus(.1), plus(.2)}, {base, base}, bootstrap);
  EXPECT_TRUE(all.dominates);
  EXPECT_EQ(all.won, 2u);
  EXPECT_NEAR(all.smallest_bound, .1, 1e-9);
  const auto mixed =
      dominance_test({plus(.1), plus(-.004)}, {base, base}, bootstrap);
  EXPECT_FALSE(mixed.dominates);
  EXPECT_EQ(mixed.won, 1u);
  EXPECT_EQ(mixed.lost, 1u);
  EXPECT_EQ(mixed.tied, 0u);
  EXPECT_TRUE(
      dominance_test({plus(.1), plus(-.004)}, {base, base}, bootstrap, .005)
          .dominates);
}

}  // namespace
}  // namespace moft
