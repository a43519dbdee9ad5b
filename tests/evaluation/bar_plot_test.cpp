// Figure 4's bars: their side and length.
#include "moft/evaluation/bar_plot.h"

#include <gtest/gtest.h>

#include "moft/evaluation/comparison.h"
#include "moft/evaluation/comparison_text.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::made_up_report;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1))
    ++found;
  return found;
}

Report three() {
  Report report = made_up_report(
      {"a", "b", "c"}, {{1, 0, 0}, {0, 1, 0}, {.5, .25, .25}}, 20);
  complete_report(report);
  report.baselines.emplace_back();
  report.baselines[0].name = "soup|<b>";
  report.baselines[0].points = report.points;
  for (FrontPoint& point : report.baselines[0].points)
    for (double& x : point.per_prompt.rewards.at("a"))
      x += 0.1;
  complete_report(report);
  compare_methods(report);
  return report;
}

TEST(BarPlot, HasARowPerWeightingAndEscapesTheRival) {
  const Report report = three();
  const ComparedPair& pair = report.comparison->pairs.at(0);
  const std::string svg = bars_svg(report, pair, "bars-0");
  // Three shares and one bar in each of three rows.
  EXPECT_EQ(count(svg, "class=\"share\""), 12u);
  EXPECT_NE(svg.find("soup|&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
  // All weight on a: .99 x .1 lost, as a share of the rival's value.
  double rival = 0;
  for (const FrontPoint& point : report.baselines[0].points)
    if (point.weights.at("a") == 1) rival = point.value.mean;
  for (const ComparedWeighting& one : pair.weightings) {
    if (one.weights.at("a") < 1) continue;
    EXPECT_NEAR(*one.bar, 0.099 / rival, 1e-12);
  }
  EXPECT_EQ(count(comparison_html(report), svg), 1u);
}

TEST(BarPlot, IsEmptyWithoutACommonWeighting) {
  const Report report = three();
  EXPECT_EQ(bars_svg(report, ComparedPair(), "bars-0"), "");
}

}  // namespace
}  // namespace moft
