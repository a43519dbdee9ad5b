// Every weighting as one row: shares, rewards, KL (declared in plots.h).
#include <algorithm>

#include <fmt/format.h>

#include "moft/evaluation/plots.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/svg.h"

namespace moft {
namespace {

constexpr double kRow = 18;
constexpr double kTop = 42;
constexpr double kShares = 110;
constexpr double kGap = 22;

struct Column {
  std::string name;
  std::string colour;
  std::vector<Interval> cells;  // [points], in drawing order
};

std::vector<Column> columns(
    const Report& report, const std::vector<std::size_t>& order) {
  std::vector<Column> result;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    Column column{report.objectives[i], objective_colour(i), {}};
    for (const std::size_t k : order) {
      column.cells.push_back(report.points[k].rewards.at(column.name));
    }
    result.push_back(std::move(column));
  }
  Column kl{"KL (nats)", "#6a5acd", {}};
  for (const std::size_t k : order)
    kl.cells.push_back(report.points[k].kl);
  result.push_back(std::move(kl));
  return result;
}

void draw_shares(
    Svg& svg, const Report& report, const FrontPoint& point, double y) {
  double x = 8;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const double width = (kShares - 8) * point.weights.at(report.objectives[i]);
    if (width <= 0) continue;
    svg.rectangle({x, y - 4}, width, 8, "share", objective_colour(i));
    x += width;
  }
}

void draw_column(
    Svg& svg, const Column& column, double from, double to, double bottom) {
  double low = column.cells.front().low;
  double high = column.cells.front().high;
  for (const Interval& cell : column.cells) {
    low = std::min(low, cell.low);
    high = std::max(high, cell.high);
  }
  std::tie(low, high) = padded(low, high);
  const Scale x{low, high, from, to};
  svg.text({from, 16}, shorten(column.name, 18), "name");
  for (const double tick : nice_ticks(low, high, 3)) {
    svg.line({x(tick), kTop - 10}, {x(tick), bottom}, "grid");
    svg.text({x(tick), kTop - 14}, plain_number(tick, 3), "tick", "middle");
  }
  for (std::size_t k = 0; k < column.cells.size(); ++k) {
    const Interval& cell = column.cells[k];
    const double y = kTop + kRow * static_cast<double>(k);
    svg.line({x(cell.low), y}, {x(cell.high), y}, "whisker", column.colour);
    svg.disc(
        {x(cell.mean), y},
        3.5,
        "dot",
        column.colour,
        fmt::format("{:.3f} [{:.3f}, {:.3f}]", cell.mean, cell.low, cell.high));
  }
}

}  // namespace

std::string rows_svg(const Report& report) {
  const std::vector<std::size_t> order = knob_order(report);
  const std::vector<Column> all = columns(report, order);
  const double count = static_cast<double>(all.size());
  const double width = std::max(480.0, kShares + 150 * count);
  const double bottom = kTop + kRow * static_cast<double>(order.size()) - 6;
  Svg svg(
      {width,
       bottom + 12,
       "rows",
       "Every weighting as a row",
       "Left: the shares of the weighting. Then each reward and the KL with "
       "intervals over prompts, each column on its own scale.",
       false});
  svg.text({8, 16}, "weighting", "name");
  const double room = (width - kShares - 12) / count;
  for (std::size_t c = 0; c < all.size(); ++c) {
    const double from = kShares + kGap + room * static_cast<double>(c);
    draw_column(svg, all[c], from, from + room - kGap, bottom);
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double y = kTop + kRow * static_cast<double>(k);
    draw_shares(svg, report, report.points[order[k]], y);
  }
  return svg.str();
}

}  // namespace moft
