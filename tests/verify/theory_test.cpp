// Bounds and lemmas of section 6 and appendix E; rows 118-127 of the notes.
#include "verify/theory.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/verify/support.h"
#include "verify/splitmix.h"

namespace moft::exact {
namespace {

// Lemma 2 (Hoeffding): log E exp(tX) <= t E X + t^2 (b - a)^2 / 8 for X in
// [a, b]; the right side.
double hoeffding_bound(double mean, double low, double high, double t) {
  return t * mean + t * t * (high - low) * (high - low) / 8.0;
}

// A sharper bound than lemma3_bound: min(lambda KL(p1 || p2),
// (1 - lambda) KL(p2 || p1)), p the softmaxes.
double lemma3_sharper_bound(const Vector& x, const Vector& y, double lambda) {
  const Vector log_p1 = log_softmax(x);
  const Vector log_p2 = log_softmax(y);
  return std::min(
      lambda * kl_divergence(log_p1, log_p2),
      (1.0 - lambda) * kl_divergence(log_p2, log_p1));
}

TEST(Theory, BoundsAreTheFixtures) {
  const auto rows = fixture("theory.json");
  ASSERT_EQ(rows.size(), 20u);
  for (const auto& row : rows) {
    const MixtureCase mixture = random_mixture(row.at("seed"));
    const MixtureReport report = bound_mixture(mixture);
    const auto expect = [&](double actual, const char* name) {
      const double expected = row.at(name);
      EXPECT_NEAR(actual, expected, 1e-11 * std::abs(expected)) << name;
    };
    expect(mixture.alpha, "alpha");
    expect(mixture.lambda, "lam");
    expect(report.kl1, "KL1");
    expect(report.kl2, "KL2");
    expect(report.gap, "gap");
    expect(report.epsilon, "eps");
    expect(report.p_min, "pmin");
    expect(report.eta, "eta");
    expect(report.c12, "C12");
    expect(report.c21, "C21");
    expect(report.theorem2, "bound_thm2");
    expect(report.corrected, "bound_corrected");
    expect(report.simple, "bound_eps_over_pmin");
  }
}

// No bound is ever broken, and the corrected one is never above epsilon/p_min.
TEST(Theory, GapIsBelowEveryBound) {
  double tightest = 0;
  for (std::uint64_t seed = 1000; seed < 4000; ++seed) {
    const MixtureReport report = bound_mixture(random_mixture(seed));
    const double slack = 1 + 1e-9;
    EXPECT_LE(report.gap, report.theorem1 * slack);
    EXPECT_LE(report.gap, report.theorem2 * slack);
    EXPECT_LE(report.gap, report.corrected * slack);
    EXPECT_LE(report.corrected, report.simple * slack);
    tightest = std::max(tightest, report.gap / report.corrected);
  }
  EXPECT_GT(tightest, 0.9);
}

TEST(Theory, CoverageConstant) {
  const double nothing = -std::numeric_limits<double>::infinity();
  const Vector all = {std::log(.25), std::log(.25), std::log(.5)};
  const Vector some = {std::log(.5), nothing, std::log(.5)};
  EXPECT_NEAR(coverage_constant(all, some), 2.0, 1e-15);
  EXPECT_EQ(
      coverage_constant(some, all), std::numeric_limits<double>::infinity());
  EXPECT_EQ(coverage_constant(all, all), 1.0);
}

TEST(Theory, BadCoverageGrowsLikeOneOverTheRootOfP) {
  for (const auto& row : fixture("theory_counts.json").at("family")) {
    const MixtureReport report = bound_mixture(bad_coverage(row[0]));
    EXPECT_NEAR(
        report.kl_mixture / report.kl1 / row[3].get<double>(), 1.0, 1e-9);
    EXPECT_NEAR(
        report.corrected / report.epsilon / row[4].get<double>(), 1.0, 1e-9);
  }
}

// Lemma 3 as printed fails at x = (B, -B), y = (-B, B), lambda = 1/2, where
// the left side is log cosh B.
TEST(Theory, LemmaThreeIsFalseAsPrinted) {
  for (const auto& row : fixture("theory_counts.json")["lemma3"]["witness"]) {
    const double b = row[0];
    const double left = log_partition_gap({b, -b}, {-b, b}, 0.5);
    EXPECT_NEAR(left, row[1].get<double>(), 1e-14);
    EXPECT_EQ(left > lemma3_bound_as_printed(b), b < 7.233392448585085);
    EXPECT_LE(left, lemma3_bound(b));
  }
}

TEST(Theory, LemmaThreeHoldsWithHalf) {
  SplitMix64 random(3);
  int broken = 0;
  double reached = 0;
  for (int i = 0; i < 20000; ++i) {
    const int n = 2 + static_cast<int>(random.below(8));
    const double b = std::exp(std::log(.05) + std::log(200) * random.uniform());
    Vector x(n), y(n);
    for (Vector* v : {&x, &y}) {
      const bool signs = random.uniform() < .5;
      for (double& value : *v)
        value = signs ? (random.uniform() < .5 ? -b : b)
                      : b * (2 * random.uniform() - 1);
    }
    double largest = 0;
    for (const double value : x)
      largest = std::max(largest, std::abs(value));
    for (const double value : y)
      largest = std::max(largest, std::abs(value));
    const double lambda = random.uniform();
    const double left = log_partition_gap(x, y, lambda);
    broken += left > lemma3_bound_as_printed(largest) + 1e-12;
    EXPECT_LE(left, lemma3_bound(largest) + 1e-12);
    EXPECT_LE(left, lemma3_sharper_bound(x, y, lambda) + 1e-9);
    reached = std::max(reached, left / lemma3_bound(largest));
  }
  EXPECT_GT(broken, 2000);
  EXPECT_GT(reached, 0.9);
}

TEST(Theory, LemmaFourNeedsBothEnds) {
  SplitMix64 random(4);
  int broken = 0;
  for (int i = 0; i < 20000; ++i) {
    const int n = 2 + static_cast<int>(random.below(6));
    const double scale = Vector{.3, 1, 3, 6}[random.below(4)];
    Vector x = random.normals(n), step = random.normals(n);
    x.back() = step.back() = 0;
    for (double& value : x)
      value *= scale;
    const Vector y = combine(1, x, scale, step);
    const double kl = kl_divergence(log_softmax(x), log_softmax(y));
    broken += kl < quadratic_kl_bound(x, y, /*base_only=*/true) - 1e-12;
    EXPECT_GE(kl, quadratic_kl_bound(x, y, /*base_only=*/false) - 1e-12);
  }
  EXPECT_GT(broken, 200);
}

TEST(Theory, LemmaFiveHoldsWithEqualityAtTheUniform) {
  for (const int n : {2, 3, 5, 10}) {
    const Vector uniform(n, 1.0 / n);
    EXPECT_NEAR(smallest_hessian_eigenvalue(uniform) * n * n, 1.0, 1e-12);
  }
  // 2 x 2: eigenvalues of [[a, -c], [-c, b]] by hand.
  const Vector p = {.2, .5, .3};
  const double a = .2 - .04, b = .5 - .25, c = .1;
  const double exact = (a + b) / 2 - std::sqrt((a - b) * (a - b) / 4 + c * c);
  EXPECT_NEAR(smallest_hessian_eigenvalue(p), exact, 1e-14);
  SplitMix64 random(5);
  for (int i = 0; i < 20000; ++i) {
    const Vector q = random.dirichlet1(2 + static_cast<int>(random.below(13)));
    EXPECT_GE(smallest_hessian_eigenvalue(q), lemma5_bound(q) * (1 - 1e-12));
  }
}

TEST(Theory, HoeffdingsLemma) {
  SplitMix64 random(6);
  for (int i = 0; i < 5000; ++i) {
    const int n = 2 + static_cast<int>(random.below(5));
    const Vector p = random.dirichlet1(n);
    const Vector x = random.uniforms(n);
    const double t = 8 * random.uniform() - 4;
    double sum = 0;
    for (int a = 0; a < n; ++a)
      sum += p[a] * std::exp(t * x[a]);
    EXPECT_LE(std::log(sum), hoeffding_bound(dot(p, x), 0, 1, t) + 1e-12);
  }
}

}  // namespace
}  // namespace moft::exact
