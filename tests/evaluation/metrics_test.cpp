#include "moft/evaluation/metrics.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/win_rate.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

// V_moft of weightings distributed as `shares`.
double moft_value(
    const Rows& points, const Rows& weightings, const Row& shares) {
  const Rows scores = cross_scores(points, weightings);
  double sum = 0;
  for (std::size_t k = 0; k < shares.size(); ++k)
    sum += shares[k] * scores[k][k];
  return sum;
}

using testing::fixture;

// The generator that the reference script uses for its random fronts.
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  double uniform() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return static_cast<double>(z >> 11) * 0x1.0p-53;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

// Directions of a normal, scaled to the sphere times .8 to 1.
Rows random_front(std::uint64_t seed, std::size_t d, std::size_t n) {
  SplitMix random(seed);
  Rows points;
  for (std::size_t k = 0; k < n; ++k) {
    Row p(d);
    double norm = 0;
    for (double& x : p) {
      x = std::abs(random.normal());
      norm += x * x;
    }
    const double scale = (0.8 + 0.2 * random.uniform()) / std::sqrt(norm);
    for (double& x : p)
      x *= scale;
    points.push_back(p);
  }
  return points;
}

TEST(Hypervolume, MatchesThreeIndependentAlgorithmsOnRandomFronts) {
  const auto cases = fixture("hypervolume.json").at("random");
  ASSERT_EQ(cases.size(), 21u);
  for (const auto& c : cases) {
    const std::size_t d = c.at("d");
    const Rows points = random_front(c.at("seed"), d, c.at("n"));
    SCOPED_TRACE(c.at("seed").get<int>());
    if (!c.at("points").is_null()) {
      const Rows stored = c.at("points");
      for (std::size_t k = 0; k < points.size(); ++k) {
        for (std::size_t i = 0; i < d; ++i) {
          EXPECT_NEAR(points[k][i], stored[k][i], 1e-14);
        }
      }
    }
    EXPECT_EQ(pareto_front(points).size(), c.at("n_nd").get<std::size_t>());
    EXPECT_NEAR(hypervolume(points, Row(d, 0.0)), c.at("hv0"), 1e-12);
    EXPECT_NEAR(hypervolume(points, Row(d, 0.2)), c.at("hv02"), 1e-12);
    EXPECT_NEAR(hypervolume(points, Row(d, -1.0)), c.at("hvm1"), 1e-12);
  }
}

// All points {i / h} whose coordinates sum to 1.
void lattice(std::size_t d, int left, int h, Row& prefix, Rows& out) {
  if (prefix.size() + 1 == d) {
    prefix.push_back(static_cast<double>(left) / h);
    out.push_back(prefix);
    prefix.pop_back();
    return;
  }
  for (int i = 0; i <= left; ++i) {
    prefix.push_back(static_cast<double>(i) / h);
    lattice(d, left - i, h, prefix, out);
    prefix.pop_back();
  }
}

TEST(Hypervolume, SimplexLatticeHasItsClosedForm) {
  for (const auto& c : fixture("hypervolume.json").at("lattice")) {
    const std::size_t d = c.at(0);
    Rows points;
    Row prefix;
    lattice(d, c.at(1), c.at(1), prefix, points);
    ASSERT_EQ(points.size(), c.at(2).get<std::size_t>());
    EXPECT_NEAR(hypervolume(points, Row(d, 0.0)), c.at(3), 1e-12);
  }
}

TEST(Hypervolume, QuarterCircleTendsToItsArea) {
  for (const auto& c : fixture("hypervolume.json").at("circle")) {
    const int n = c.at(0);
    Rows points;
    for (int k = 0; k < n; ++k) {
      const double t = std::numbers::pi / 2 * k / (n - 1);
      points.push_back({std::cos(t), std::sin(t)});
    }
    EXPECT_NEAR(hypervolume(points, {0, 0}), c.at(1), 1e-12);
    EXPECT_LT(
        std::abs(hypervolume(points, {0, 0}) - std::numbers::pi / 4), 1.0 / n);
  }
}

TEST(Hypervolume, SpecialCases) {
  for (const auto& [name, c] :
       fixture("hypervolume.json").at("special").items()) {
    SCOPED_TRACE(name);
    const Rows points = c.at("points");
    EXPECT_NEAR(hypervolume(points, c.at("ref")), c.at("hv"), 1e-12);
  }
}

TEST(Hypervolume, InvariantsOfOrderScaleAndGrowth) {
  for (std::size_t d = 2; d <= 4; ++d) {
    const Rows points = random_front(77 + d, d, 12);
    const double whole = hypervolume(points, Row(d, 0.0));
    double before = 0;
    Rows grown;
    for (const Row& p : points) {
      grown.push_back(p);
      const double now = hypervolume(grown, Row(d, 0.0));
      EXPECT_GE(now, before - 1e-15);
      before = now;
    }
    Rows mirrored, scaled;
    for (Row p : points) {
      for (double& x : p)
        x *= 3;
      scaled.push_back(p);
      for (double& x : p)
        x /= 3;
      std::reverse(p.begin(), p.end());
      mirrored.insert(mirrored.begin(), p);
    }
    EXPECT_NEAR(hypervolume(mirrored, Row(d, 0.0)), whole, 1e-12);
    EXPECT_NEAR(
        hypervolume(scaled, Row(d, 0.0)),
        std::pow(3, static_cast<double>(d)) * whole,
        1e-9);
  }
}

TEST(HullHypervolume, ClosedFormsInTwoAndThreeDimensions) {
  // The counterexample of the paper's section 6.2: area .75, boxes .5625.
  const Rows toy{{1, 0}, {0, 1}, {.75, .75}};
  EXPECT_NEAR(hull_hypervolume(toy, {0, 0}), 0.75, 1e-12);
  EXPECT_NEAR(hypervolume(toy, {0, 0}), 0.5625, 1e-12);
  EXPECT_NEAR(hull_hypervolume({{1, 0}, {0, 1}}, {0, 0}), 0.5, 1e-12);
  EXPECT_NEAR(hull_hypervolume({{.5, .4}}, {.1, .2}), 0.08, 1e-12);
  EXPECT_NEAR(hull_hypervolume({{-1, 5}, {5, -1}}, {0, 0}), 8, 1e-12);
  EXPECT_NEAR(hull_hypervolume({{-1, -1}}, {0, 0}), 0, 1e-12);
  // The corner tetrahedron, and the octant cut by the plane x + y + z = 2.
  const Rows corners{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  EXPECT_NEAR(hull_hypervolume(corners, {0, 0, 0}), 1.0 / 6, 1e-12);
  const Rows edges{{1, 1, 0}, {1, 0, 1}, {0, 1, 1}};
  EXPECT_NEAR(hull_hypervolume(edges, {0, 0, 0}), 5.0 / 6, 1e-12);
  EXPECT_NEAR(hull_hypervolume({{.5, .4, .3}}, {0, 0, 0}), 0.06, 1e-12);
  // The same plane cut again by a reference outside the points' box.
  const Rows wide{{3, -1, -1}, {-1, 3, -1}, {-1, -1, 3}};
  EXPECT_NEAR(hull_hypervolume(wide, {0, 0, 0}), 1.0 / 6, 1e-12);
  EXPECT_THROW(hull_hypervolume({{1, 1, 1, 1}}, {0, 0, 0, 0}), CallerError);
}

TEST(HullHypervolume, AgreesWithCountingPointsBelowEverySupport) {
  // w.x <= max_k w.p_k for a dense set of w: Monte Carlo in three dimensions.
  const Rows points = random_front(3010, 3, 10);
  Rows weightings;
  Row prefix;
  lattice(3, 60, 60, prefix, weightings);
  SplitMix random(5);
  int inside = 0;
  const int draws = 20000;
  for (int n = 0; n < draws; ++n) {
    const Row x{random.uniform(), random.uniform(), random.uniform()};
    bool below = true;
    for (const Row& w : weightings) {
      double best = 0;
      for (const Row& p : points) {
        best = std::max(best, w[0] * p[0] + w[1] * p[1] + w[2] * p[2]);
      }
      if (w[0] * x[0] + w[1] * x[1] + w[2] * x[2] > best) {
        below = false;
        break;
      }
    }
    inside += below;
  }
  const double exact = hull_hypervolume(points, {0, 0, 0});
  EXPECT_NEAR(exact, inside / static_cast<double>(draws), 0.012);
  EXPECT_GT(exact, hypervolume(points, {0, 0, 0}));
}

// Volumes by Qhull of fronts that go below the reference, where an axis leaves
// the coverage through a face (the old figure was off by up to 0.9%).
TEST(HullHypervolume, ExactWhereTheFrontGoesBelowTheReference) {
  const auto cases = fixture("hull_volumes.json");
  ASSERT_EQ(cases.size(), 40u);
  for (const auto& c : cases) {
    const Rows points = c.at("points");
    EXPECT_NEAR(hull_hypervolume(points, {0, 0, 0}), c.at("volume"), 1e-12);
    Rows moved = points;
    for (Row& point : moved) {
      for (double& x : point)
        x += 2;
    }
    EXPECT_NEAR(hull_hypervolume(moved, {2, 2, 2}), c.at("volume"), 1e-12);
  }
}

class Fronts : public ::testing::TestWithParam<const char*> {};

TEST_P(Fronts, EveryIndicatorMatches) {
  const auto all = fixture("fronts.json");
  const auto& c = all.at(GetParam());
  const Rows points = c.at("points");
  const Rows circle = all.at("circle").at("points");
  Rows weightings;
  Row first, second, axis1, axis2;
  for (int k = 0; k <= 10; ++k) {
    weightings.push_back({1 - k / 10.0, k / 10.0});
    first.push_back(1 - k / 10.0);
    second.push_back(k / 10.0);
    axis1.push_back(points[k][0]);
    axis2.push_back(points[k][1]);
  }
  const Rows scores = cross_scores(points, weightings);
  const double tolerance = 1e-12;
  EXPECT_NEAR(hypervolume(points, {0, 0}), c.at("hv"), tolerance);
  EXPECT_NEAR(mean_utility(scores), c.at("eum_own"), tolerance);
  EXPECT_NEAR(
      moft_value(points, weightings, equal_shares(11)),
      c.at("eum_own"),
      tolerance);
  EXPECT_NEAR(best_utility(scores), c.at("eum_best"), tolerance);
  EXPECT_NEAR(knob_regret(scores), c.at("select_regret"), tolerance);
  EXPECT_NEAR(sparsity(points), c.at("sparsity"), tolerance);
  EXPECT_NEAR(spacing(points), c.at("spacing"), tolerance);
  EXPECT_NEAR(front_length(points), c.at("length"), tolerance);
  EXPECT_NEAR(evenness(points), c.at("evenness"), tolerance);
  EXPECT_NEAR(extent(points)[0], c.at("extent")[0], tolerance);
  EXPECT_NEAR(extent(points)[1], c.at("extent")[1], tolerance);
  EXPECT_NEAR(spearman(first, axis1), c.at("spearman1"), tolerance);
  EXPECT_NEAR(spearman(second, axis2), c.at("spearman2"), tolerance);
  const auto falls = monotonicity_violations(axis1, first);
  EXPECT_NEAR(falls.share, c.at("mono")[0], tolerance);
  EXPECT_NEAR(falls.total, c.at("mono")[1], tolerance);
  EXPECT_NEAR(additive_epsilon(points, circle), c.at("eps"), tolerance);
  EXPECT_NEAR(igd_plus(points, circle), c.at("igdp"), tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Oracle,
    Fronts,
    ::testing::Values(
        "circle", "line", "collapsed", "jump", "reversed", "noisy"));

TEST(MoftValue, CounterexampleOfSection62) {
  // Optimal policies of the toy: (1,0) below .25, (.75,.75), (0,1) above .75;
  // E V* = .8125. The trapezoid is exact on a grid that holds the switches.
  for (const int cells : {4, 8, 100}) {
    Rows points, weightings;
    for (int k = 0; k <= cells; ++k) {
      const double lam = static_cast<double>(k) / cells;
      weightings.push_back({1 - lam, lam});
      points.push_back(
          lam < .25   ? Row{1, 0}
          : lam > .75 ? Row{0, 1}
                      : Row{.75, .75});
    }
    EXPECT_NEAR(
        moft_value(points, weightings, trapezoid_shares(weightings)),
        0.8125,
        1e-12);
  }
  // The midpoint rule over 100 cells gives the same.
  Rows points, weightings;
  for (int k = 0; k < 100; ++k) {
    const double lam = (k + 0.5) / 100;
    weightings.push_back({1 - lam, lam});
    points.push_back(
        lam < .25   ? Row{1, 0}
        : lam > .75 ? Row{0, 1}
                    : Row{.75, .75});
  }
  EXPECT_NEAR(moft_value(points, weightings, equal_shares(100)), 0.8125, 1e-12);
}

TEST(TrapezoidShares, SumToOneInAnyOrderAndExtendFlat) {
  const Row shares = trapezoid_shares({{.75, .25}, {.25, .75}, {.5, .5}});
  EXPECT_NEAR(shares[0], .375, 1e-15);
  EXPECT_NEAR(shares[1], .375, 1e-15);
  EXPECT_NEAR(shares[2], .25, 1e-15);
  EXPECT_NEAR(trapezoid_shares({{.3, .7}})[0], 1, 1e-15);
}

TEST(CrossValues, SubtractTheKlAtTheRowsOwnStrength) {
  const Rows values =
      cross_values({{1, 0}, {.5, .5}}, {2, 4}, {{1, 0}, {.5, .5}}, {.1, .2});
  EXPECT_NEAR(values[0][0], .9 - .2, 1e-15);
  EXPECT_NEAR(values[0][1], .9 * .5 - .4, 1e-15);
  EXPECT_NEAR(values[1][0], .8 * .5 - .4, 1e-15);
  EXPECT_NEAR(values[1][1], .8 * .5 - .8, 1e-15);
  EXPECT_NEAR(diagonal_share(values), 0.5, 1e-15);
}

TEST(Dominance, ByCoordinates) {
  EXPECT_TRUE(dominates({1, 1}, {1, 0}));
  EXPECT_FALSE(dominates({1, 1}, {1, 1}));
  EXPECT_FALSE(dominates({1, 0}, {0, 1}));
  EXPECT_THROW(dominates({1}, {1, 2}), CallerError);
}

TEST(Metrics, RefuseRaggedOrNonFiniteRows) {
  EXPECT_THROW(extent({{1, 2}, {1}}), CallerError);
  EXPECT_THROW(extent({{1, std::nan("")}}), CallerError);
  EXPECT_THROW(hypervolume({{1, INFINITY}}, {0, 0}), CallerError);
  EXPECT_THROW(hypervolume({{1, 1, 1}}, {0, 0}), CallerError);
  EXPECT_THROW(spearman({1, 2}, {1}), CallerError);
}

TEST(WinRate, SignTestsOfThePaperGaps) {
  for (const auto& c : fixture("fronts.json").at("winrate")) {
    const double p = c.at(5);
    EXPECT_NEAR(sign_test(c.at(2), c.at(3)) / p, 1, 1e-8) << c.dump();
  }
  EXPECT_EQ(sign_test(0, 0), 1);
  EXPECT_EQ(sign_test(5, 5), 1);
  EXPECT_NEAR(sign_test(5, 0), 2.0 / 32, 1e-15);
}

QuestionOutcome outcome(char c) {
  return c == 'A'   ? QuestionOutcome::kFirst
         : c == 'B' ? QuestionOutcome::kSecond
                    : QuestionOutcome::kInconsistent;
}

TEST(WinRate, TruthTables) {
  const auto all = fixture("fronts.json");
  ASSERT_EQ(all.at("win_rule").size(), 9u);
  for (const auto& [answers, expected] : all.at("win_rule").items()) {
    const Win win = article_winner(outcome(answers[0]), outcome(answers[1]));
    const char* name = win == Win::kFirst    ? "A"
                       : win == Win::kSecond ? "B"
                                             : "T";
    EXPECT_EQ(expected.get<std::string>(), name) << answers;
  }
  ASSERT_EQ(all.at("prompt_outcome").size(), 9u);
  for (const auto& [pair, expected] : all.at("prompt_outcome").items()) {
    const auto bar = pair.find('|');
    EXPECT_EQ(
        question_outcome(pair.substr(0, bar), pair.substr(bar + 1)),
        outcome(expected.get<std::string>()[0]))
        << pair;
  }
  for (const auto& [bias, expected] : all.at("null_judge").items()) {
    const NullJudge judge = null_judge(std::stod(bias));
    EXPECT_NEAR(judge.consistent, expected[0], 1e-12);
    EXPECT_NEAR(judge.inconsistent, expected[1], 1e-12);
    EXPECT_NEAR(judge.win, expected[2], 1e-12);
  }
}

TEST(WinRate, WilsonIntervalHasItsClosedForm) {
  // Roots of (p - k/n)^2 = z^2 p (1 - p) / n.
  const Proportion interval = wilson_interval(30, 100, 2);
  for (const double p : {interval.low, interval.high}) {
    EXPECT_NEAR((p - .3) * (p - .3), 4 * p * (1 - p) / 100, 1e-14);
  }
  EXPECT_LT(interval.low, .3);
  EXPECT_GT(interval.high, .3);
}

}  // namespace
}  // namespace moft
