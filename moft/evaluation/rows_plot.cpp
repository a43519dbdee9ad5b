// Every weighting as one row: shares, rewards, KL.
#include "moft/evaluation/rows_plot.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/evaluation/colours.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

constexpr double kRowHeight = 18;
constexpr double kTop = 42;       // middle of the first row
constexpr double kTickLine = 28;  // baseline of the numbers of the scales
constexpr double kInset = 8;      // at the left end
constexpr double kShares = 102;   // width of a bar of shares
constexpr double kGap = 22;       // between columns
constexpr double kColumn = 150;   // of the narrowest picture, with its gap
constexpr double kNarrowest = 480;
constexpr int kTicks = 3;

struct Column {
  std::string name;
  std::string colour;
  std::vector<Interval> cells = {};  // [points], in drawing order
};

std::vector<Column> columns(
    const Report& report, const std::vector<std::size_t>& order) {
  std::vector<Column> result;
  for (std::size_t i = 0; i < report.objectives.size(); ++i)
    result.push_back({report.objectives[i], objective_colour(i)});
  Column kl{"KL (nats)", kPolicyColour};
  for (const std::size_t k : order) {
    for (Column& column : result)
      column.cells.push_back(report.points[k].rewards.at(column.name));
    kl.cells.push_back(report.points[k].kl);
  }
  result.push_back(std::move(kl));
  return result;
}

double middle_of_row(std::size_t row) {
  return kTop + kRowHeight * static_cast<double>(row);
}

void draw_shares(
    Plot& plot, const Report& report, const FrontPoint& point, double y) {
  constexpr double kHalf = 4;  // the height of a bar
  double x = kInset;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const double end = x + kShares * point.weights.at(report.objectives[i]);
    plot.area(
        {{x, y - kHalf}, {end, y - kHalf}, {end, y + kHalf}, {x, y + kHalf}},
        "share",
        objective_colour(i));
    x = end;
  }
}

void draw_column(
    Plot& plot, const Column& column, double from, double to, double bottom) {
  Range range;
  for (const Interval& cell : column.cells) {
    range.add(cell.low);
    range.add(cell.high);
  }
  range = range.padded();
  const Scale x{range.low, range.high, from, to};
  plot.text({from, kNameLine}, shorten(column.name, 18), "name");
  for (const double tick : nice_ticks(range.low, range.high, kTicks)) {
    plot.line({{x(tick), kTickLine + kHalfLetter}, {x(tick), bottom}}, "grid");
    plot.text({x(tick), kTickLine}, plain_number(tick, 3), "tick", "middle");
  }
  for (std::size_t k = 0; k < column.cells.size(); ++k) {
    const Interval& cell = column.cells[k];
    const double y = middle_of_row(k);
    plot.line({{x(cell.low), y}, {x(cell.high), y}}, "whisker", column.colour);
    const std::string tooltip =
        fmt::format("{:.3f} [{:.3f}, {:.3f}]", cell.mean, cell.low, cell.high);
    plot.dot({x(cell.mean), y}, kDotRadius, column.colour, tooltip);
  }
}

}  // namespace

std::string rows_svg(const Report& report) {
  const std::vector<std::size_t> order = knob_order(report);
  const std::vector<Column> all = columns(report, order);
  const auto count = static_cast<double>(all.size());
  const double begin = kInset + kShares;
  const double width = std::max(kNarrowest, begin + kColumn * count);
  const double bottom = middle_of_row(order.size()) - kRowHeight / 3;
  Plot plot(
      {.width = width,
       .height = bottom + kRowHeight / 2,
       .id = "rows",
       .title = "Every weighting as a row",
       .description =
           "Left: the shares of the weighting. Then each reward and the KL "
           "with intervals over prompts, each column on its own scale."});
  plot.text({kInset, kNameLine}, "weighting", "name");
  const double room = (width - begin - kInset) / count;
  for (std::size_t c = 0; c < all.size(); ++c) {
    const double from = begin + kGap + room * static_cast<double>(c);
    draw_column(plot, all[c], from, from + room - kGap, bottom);
  }
  for (std::size_t k = 0; k < order.size(); ++k)
    draw_shares(plot, report, report.points[order[k]], middle_of_row(k));
  return plot.str();
}

}  // namespace moft
