// Bars of a pair of methods.
#include "moft/evaluation/bar_plot.h"

#include <vector>

#include <fmt/format.h>

#include "moft/evaluation/markup.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

constexpr double kRow = 18;
constexpr double kFirst = 48;  // middle of the first row
constexpr double kTickLine = 32;
constexpr double kInset = 8;
constexpr double kShares = 90;  // width of a bar of shares
constexpr double kHalf = 5;     // height of a bar
constexpr double kWidth = 440;

std::vector<const ComparedWeighting*> in_order(
    const Report& report, const ComparedPair& pair) {
  std::vector<const ComparedWeighting*> rows;
  for (const std::size_t k : knob_order(report)) {
    const FrontPoint& point = report.points[k];
    for (const ComparedWeighting& one : pair.weightings) {
      const bool here =
          one.weights == point.weights && one.alpha == point.alpha;
      if (here && one.bar) rows.push_back(&one);
    }
  }
  return rows;
}

std::vector<PlotPoint> box(double from, double to, double y) {
  return {
      {from, y - kHalf}, {to, y - kHalf}, {to, y + kHalf}, {from, y + kHalf}};
}

}  // namespace

std::string bars_svg(
    const Report& report, const ComparedPair& pair, const std::string& id) {
  const auto rows = in_order(report, pair);
  if (rows.empty()) return {};
  DataRange range;
  range.add(0);
  for (const ComparedWeighting* row : rows)
    range.add(*row->bar);
  range = range.padded();
  const double bottom =
      kFirst + kRow * static_cast<double>(rows.size() - 1) + 9;
  Plot plot(
      {.width = kWidth,
       .height = bottom + kRow / 2,
       .id = id,
       .title = "Loss to " + pair.rival,
       .description =
           "One row per weighting: its shares, and the rival's value minus "
           "this policy's as a share of the rival's; to the left of 0 this "
           "policy is better."});
  plot.text({kInset, kNameLine}, "Loss to " + shorten(pair.rival, 40), "name");
  const Scale x{
      range.low, range.high, kInset + kShares + 20, kWidth - 2 * kInset};
  for (const double tick : nice_ticks(range.low, range.high, 4)) {
    plot.line({{x(tick), kTickLine + kHalfLetter}, {x(tick), bottom}}, "grid");
    plot.text(
        {x(tick), kTickLine},
        plain_number(100 * tick, 1) + "%",
        "tick",
        "middle");
  }
  plot.line({{x(0), kTickLine + kHalfLetter}, {x(0), bottom}}, "axis");
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const double y = kFirst + kRow * static_cast<double>(k);
    double left = kInset;
    for (std::size_t i = 0; i < report.objectives.size(); ++i) {
      const double weight = rows[k]->weights.at(report.objectives[i]);
      plot.area(
          box(left, left + kShares * weight, y), "share", objective_colour(i));
      left += kShares * weight;
    }
    plot.area(
        box(x(0), x(*rows[k]->bar), y),
        "share",
        pair.equal_ledger ? kPolicyColour : kReferenceColour);
  }
  return plot.str();
}

}  // namespace moft
