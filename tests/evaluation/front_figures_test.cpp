// Figures of fronts against pymoo, moocore, scipy and morl-baselines, and
// against closed forms.
#include "moft/evaluation/front_figures.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::fixture;
using testing::kFive;
using testing::made_up_report;

// Where scipy has no number, ours is 0.
double or_zero(const nlohmann::json& x) {
  return x.is_null() ? 0 : x.get<double>();
}

TEST(FrontFigures, EqualOtherProgramsOnRandomFronts) {
  const auto cases = fixture("front_metrics.json").at("cases");
  ASSERT_EQ(cases.size(), 24u);
  std::size_t constant = 0;
  for (const auto& one : cases) {
    const auto points = one.at("points").get<Rows>();
    const auto target = one.at("target").get<Rows>();
    const auto weights = one.at("weights").get<Rows>();
    const auto knob = one.at("knob").get<Row>();
    const std::size_t m = points.front().size();
    const auto near = [&](const char* name, double mine) {
      EXPECT_NEAR(mine, one.at(name).get<double>(), 1e-12) << name;
    };
    near("hypervolume", hypervolume(points, Row(m, 0.0)));
    near("sparsity", sparsity(points));
    near("spacing", spacing(points));
    near("expected_utility", best_utility(cross_scores(points, weights)));
    near("igd_plus", igd_plus(points, target));
    near("epsilon", additive_epsilon(points, target));
    for (std::size_t i = 0; i < m; ++i) {
      Row column;
      for (const Row& point : points)
        column.push_back(point[i]);
      constant += one.at("kendall")[i].is_null();
      EXPECT_NEAR(
          kendall_tau(knob, column), or_zero(one.at("kendall")[i]), 1e-12);
      EXPECT_NEAR(
          spearman(knob, column), or_zero(one.at("spearman")[i]), 1e-12);
    }
  }
  EXPECT_EQ(constant, 6u);
}

TEST(FrontFigures, KendallCountsPairsAndTies) {
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {1, 2, 3, 4}), 1);
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {4, 3, 2, 1}), -1);
  // One pair of six is turned.
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {1, 2, 4, 3}), 4.0 / 6);
  // Five pairs differ in y: 5 / sqrt(6 x 5).
  EXPECT_DOUBLE_EQ(
      kendall_tau({1, 2, 3, 4}, {1, 2, 3, 3}), 5 / std::sqrt(30.0));
  EXPECT_EQ(kendall_tau({1, 2, 3}, {7, 7, 7}), 0);
  EXPECT_EQ(kendall_tau({1}, {2}), 0);
  EXPECT_THROW(kendall_tau({1, 2}, {1}), CallerError);
  EXPECT_THROW(kendall_tau({1, 2}, {1, NAN}), CallerError);
}

TEST(FrontFigures, LargestStepIsOneForAJumpAndForNoChange) {
  EXPECT_DOUBLE_EQ(largest_step({{0}, {.25}, {.5}, {.75}, {1}}), 0.25);
  EXPECT_DOUBLE_EQ(largest_step({{0, 1}, {.5, .5}, {1, 0}}), 0.5);
  EXPECT_DOUBLE_EQ(largest_step({{0}, {0}, {1}, {1}}), 1);
  // A change below .05 is none, and neither is a path that comes back.
  EXPECT_EQ(largest_step({{0}, {.02}, {.049}}), 1);
  EXPECT_EQ(largest_step({{0}, {.9}, {.1}}), 1);
  EXPECT_EQ(largest_step({{0}}), 1);
}

// Rewards sqrt(w_i) on a quarter circle, KL 3, alpha .1.
std::vector<FrontPoint> circle() {
  std::vector<FrontPoint> points;
  for (const auto& w : kFive) {
    FrontPoint& point = points.emplace_back();
    point.weights = {{"a", w[0]}, {"b", w[1]}};
    point.alpha = 0.1;
    point.kl.mean = 3;
    for (const auto& [name, weight] : point.weights) {
      point.rewards[name].mean = std::sqrt(weight);
      point.value.mean += weight * (0.9 * std::sqrt(weight) - 0.3);
    }
  }
  return points;
}

TEST(FrontFigures, FollowTheirDefinitionsOnACircle) {
  const auto points = circle();
  const FrontFigures figures = front_figures(points, {"a", "b"});
  double reward = 0;
  for (const auto& w : kFive)
    reward += (std::pow(w[0], 1.5) + std::pow(w[1], 1.5)) / 5;
  EXPECT_NEAR(figures.mean_reward, reward, 1e-12);
  EXPECT_NEAR(figures.mean_value, 0.9 * reward - 0.3, 1e-12);
  EXPECT_NEAR(figures.reach, 1, 1e-12);
  EXPECT_NEAR(figures.kendall.at("a"), 1, 1e-12);
  EXPECT_NEAR(figures.kendall.at("b"), 1, 1e-12);
  // From (0, 1) to (1/2, sqrt(3)/2), over sqrt(2).
  const double step = std::hypot(0.5, 1 - std::sqrt(0.75));
  EXPECT_NEAR(*figures.largest_step, step / std::sqrt(2.0), 1e-12);
  // V at the ends is (.6, -.3) and (-.3, .6): below the origin, nothing.
  const double high = 0.9 * std::sqrt(0.75) - 0.3;
  const double half = 0.9 * std::sqrt(0.5) - 0.3;
  const double low = 0.9 * 0.5 - 0.3;
  EXPECT_NEAR(
      figures.value_hypervolume,
      low * high + (half - low) * half + (high - half) * low,
      1e-12);
  EXPECT_GT(*figures.value_hull_hypervolume, figures.value_hypervolume);
  EXPECT_EQ(figures.value_reference_point.at("a"), 0);
}

TEST(FrontFigures, ReachIsSigned) {
  auto points = circle();
  for (FrontPoint& point : points)
    std::swap(point.rewards.at("a"), point.rewards.at("b"));
  const FrontFigures figures = front_figures(points, {"a", "b"});
  EXPECT_NEAR(figures.reach, -1, 1e-12);
  EXPECT_NEAR(figures.kendall.at("a"), -1, 1e-12);
  EXPECT_THROW(front_figures({}, {"a"}), CallerError);
}

TEST(FrontFigures, ReportsHoldThem) {
  Report report = made_up_report({"a", "b"}, kFive, 20);
  complete_report(report);
  ASSERT_TRUE(report.summary.figures);
  const FrontFigures& figures = *report.summary.figures;
  EXPECT_NEAR(figures.mean_value, report.summary.mean_utility, 1e-12);
  EXPECT_NEAR(
      figures.reach,
      (report.summary.reach.at("a") + report.summary.reach.at("b")) / 2,
      1e-12);
  EXPECT_TRUE(is_vertex(report.points.front()));
  EXPECT_FALSE(is_vertex(report.points[1]));
  // Three objectives have no path, and neither have several alphas.
  Report three =
      made_up_report({"a", "b", "c"}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 20);
  complete_report(three);
  EXPECT_FALSE(three.summary.figures->largest_step);
  EXPECT_FALSE(three.summary.figures->value_hull_hypervolume);
  report.points.front().alpha = 0.2;
  complete_report(report);
  EXPECT_FALSE(report.summary.figures->largest_step);
}

}  // namespace
}  // namespace moft
