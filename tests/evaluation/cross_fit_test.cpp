// Best-of-set figures must not reward the luck of the best of several.
#include "moft/evaluation/cross_fit.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/random.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

// Five settings along one knob; reward a of setting k is noise around
// means[k], reward b is 1 - a, as independent draws for every setting.
std::vector<FrontPoint> noisy_points(
    const std::vector<double>& means, std::size_t prompts, std::uint32_t run) {
  std::vector<FrontPoint> points(means.size());
  for (std::size_t k = 0; k < points.size(); ++k) {
    FrontPoint& point = points[k];
    const double w =
        static_cast<double>(k) / static_cast<double>(points.size() - 1);
    point.weights = {{"a", w}, {"b", 1 - w}};
    RandomStream random(7, Purpose::kTest, run, static_cast<std::uint32_t>(k));
    for (std::size_t n = 0; n < prompts; ++n) {
      const double x = means[k] + 0.25 * random.normal();
      point.per_prompt.rewards["a"].push_back(x);
      point.per_prompt.rewards["b"].push_back(x);
      point.per_prompt.kl.push_back(0);
    }
  }
  return points;
}

double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double each : x)
    sum += each;
  return sum / static_cast<double>(x.size());
}

// What the plain maximum of the means would call the regret.
double naive_regret(const std::vector<FrontPoint>& points) {
  std::vector<double> means;
  for (const FrontPoint& point : points)
    means.push_back(mean_of(point.per_prompt.rewards.at("a")));
  return *std::max_element(means.begin(), means.end()) - mean_of(means);
}

TEST(CrossFit, FiveEquallyGoodSettingsHaveNoRegret) {
  // 58 prompts with a spread of 0.25: the plain maximum reports 0.038.
  constexpr int kRuns = 200;
  constexpr std::size_t kPrompts = 58;
  const Bootstrap bootstrap(kPrompts, {.resamples = 200});
  double naive = 0, regret = 0, square = 0, share_high = 0;
  int alarms = 0;
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    const auto points = noisy_points({.6, .6, .6, .6, .6}, kPrompts, run);
    const CrossFit fit = cross_fit(points, {"a", "b"}, bootstrap);
    naive += naive_regret(points) / kRuns;
    regret += fit.knob_regret.mean / kRuns;
    square += fit.knob_regret.mean * fit.knob_regret.mean / kRuns;
    share_high += fit.diagonal_share.high / kRuns;
    alarms += fit.knob_regret.low > 0;
    EXPECT_LE(fit.diagonal_share.low, fit.diagonal_share.mean);
    EXPECT_LE(fit.diagonal_share.mean, fit.diagonal_share.high);
  }
  EXPECT_GT(naive, 0.03);
  const double error = std::sqrt(square / kRuns);
  EXPECT_LT(std::abs(regret), 3 * error);
  EXPECT_LT(error, 0.003);
  EXPECT_LE(alarms, kRuns / 20);
  // The own setting is hardly ever shown to be worse.
  EXPECT_GT(share_high, 0.9);
}

TEST(CrossFit, AMisplacedKnobIsFoundWithItsSize) {
  // One setting is better by 1 than all others, for every weighting.
  const auto points = noisy_points({0, 0, 1, 0, 0}, 200, 1);
  const CrossFit fit =
      cross_fit(points, {"a", "b"}, Bootstrap(200, {.resamples = 500}));
  EXPECT_NEAR(fit.knob_regret.mean, 0.8, 0.05);
  EXPECT_GT(fit.knob_regret.low, 0.7);
  EXPECT_NEAR(fit.best_utility.mean, 1, 0.05);
  EXPECT_EQ(fit.diagonal_share.mean, 0.2);
  EXPECT_EQ(fit.diagonal_share.low, 0.2);
  EXPECT_EQ(fit.diagonal_share.high, 0.2);
}

TEST(CrossFit, ValuesCountTheKlAtTheRowsOwnAlpha) {
  // Two settings of one objective: reward 1 at KL 2, reward 0 at KL 0.
  std::vector<FrontPoint> points(2);
  for (std::size_t k = 0; k < 2; ++k) {
    const double high = k == 0 ? 1 : 0;
    points[k].weights = {{"a", 1}};
    points[k].alpha = k == 0 ? 0.1 : 0.5;
    points[k].per_prompt.rewards["a"].assign(10, high);
    points[k].per_prompt.kl.assign(10, 2 * high);
  }
  // At alpha .1 the own point has .9 - .2, the other 0; at .5 the own one has
  // 0, the other .5 - 1.
  const CrossFit fit = cross_fit(points, {"a"}, Bootstrap(10));
  EXPECT_NEAR(fit.best_utility.mean, 0.35, 1e-12);
  EXPECT_EQ(fit.knob_regret.mean, 0);
  EXPECT_EQ(fit.diagonal_share.mean, 1);
}

TEST(CrossFit, OnePromptKeepsEveryOwnPoint) {
  const auto points = noisy_points({0, 1}, 1, 2);
  const CrossFit fit = cross_fit(points, {"a", "b"}, Bootstrap(1));
  EXPECT_EQ(fit.knob_regret.mean, 0);
  EXPECT_EQ(fit.diagonal_share.mean, 1);
}

TEST(CrossFit, TheReportRemarksOnAShownRegretOnly) {
  const auto notes_of = [](std::vector<FrontPoint> points) {
    Report report;
    report.objectives = {"a", "b"};
    report.points = std::move(points);
    complete_report(report);
    std::string all;
    for (const std::string& note : automatic_notes(report))
      all += note + "\n";
    EXPECT_EQ(
        report.summary.knob_regret, report.summary.intervals->knob_regret.mean);
    EXPECT_NEAR(
        report.summary.best_utility - report.summary.mean_utility,
        report.summary.knob_regret,
        1e-12);
    return all;
  };
  const char* remark = "are served best by their own setting";
  EXPECT_NE(
      notes_of(noisy_points({0, 0, 1, 0, 0}, 60, 3)).find(remark),
      std::string::npos);
  // The naive figures of these are over the bars of the remark.
  int remarks = 0;
  for (std::uint32_t run = 10; run < 30; ++run) {
    const auto points = noisy_points({.6, .6, .6, .6, .6}, 58, run);
    EXPECT_GT(naive_regret(points), 0.005);
    remarks += notes_of(points).find(remark) != std::string::npos;
  }
  EXPECT_LE(remarks, 1);
}

}  // namespace
}  // namespace moft
