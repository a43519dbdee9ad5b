// Rewards against rewards; every weighting as one row.
#include "moft/evaluation/front_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/evaluation/comparison.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

// ---- Rewards against rewards -----------------------------------------------

constexpr std::size_t kCrowd = 24;  // above it marks are small and unlabelled
constexpr double kMark = 5.5;       // radius
constexpr double kDiamond = 6.5;
constexpr double kSquare = 4;  // half a side

// Finds room for labels: of the four corners of a mark, the one with the
// fewest marks and other labels in it.
class LabelPlacer {
 public:
  LabelPlacer(const Scale& x, const Scale& y) : x_(x), y_(y) {}

  void block(PlotPoint at) { taken_.push_back(at); }

  // Where the baseline of a text of this width starts.
  PlotPoint place(PlotPoint mark, double width) {
    constexpr double kReach = kMark + 3;
    PlotPoint best;
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [dx, dy] : {PlotPoint{1, -1}, {-1, -1}, {1, 1}, {-1, 1}}) {
      const PlotPoint middle{
          mark.first + dx * (kReach + width / 2), mark.second + dy * kReach};
      const double cost = cost_of(middle, width);
      if (cost >= least) continue;
      least = cost;
      best = middle;
    }
    for (const double part : {-0.5, 0.0, 0.5})
      block({best.first + part * width, best.second});
    return {best.first - width / 2, best.second + kHalfLetter};
  }

 private:
  double cost_of(PlotPoint middle, double width) const {
    constexpr double kHeight = 14;
    constexpr double kOutside = 100;  // worse than any number of marks
    const auto [x, y] = middle;
    double cost = 0;
    for (const auto& [a, b] : taken_) {
      if (std::abs(a - x) <= width / 2 + kMark && std::abs(b - y) <= kHeight)
        cost += 1;
    }
    const bool inside = x - width / 2 > x_.from && x + width / 2 < x_.to &&
                        y > y_.to && y < y_.from;
    return inside ? cost : cost + kOutside;
  }

  const Scale& x_;
  const Scale& y_;
  std::vector<PlotPoint> taken_;
};

class FrontPlot {
 public:
  FrontPlot(const Report& report, std::size_t i, std::size_t j, bool alone)
      : report_(report),
        first_(report.objectives.at(i)),
        second_(report.objectives.at(j)),
        pair_(report.objectives.size() == 2),
        crowded_(report.points.size() > kCrowd),
        plot_(options(i, j, alone)),
        x_(plot_.across(range_of(first_))),
        y_(plot_.upwards(range_of(second_))),
        placer_(x_, y_) {}

  std::string draw() {
    plot_.axes(x_, y_, first_, second_);
    if (pair_) {
      const std::string what = "labels: weight on " + shorten(first_, 24);
      plot_.text({x_.to, kNameLine}, what, "tick", "end");
    }
    for (const BaselinePolicy& policy : report_.baselines)
      baseline(policy);
    const std::vector<std::size_t> order = knob_order(report_);
    path(report_.points, order, "axis");
    reference();
    for (const std::size_t k : order)
      bars(report_.points[k].rewards, colour(report_.points[k]));
    for (const std::size_t k : order)
      mark(report_.points[k]);
    for (const std::size_t k : order)
      label(report_.points[k]);
    return plot_.str();
  }

 private:
  PlotOptions options(std::size_t i, std::size_t j, bool alone) const {
    return {
        .width = pair_ ? 580.0 : 480.0,
        .height = pair_ ? 420.0 : 380.0,
        .id = fmt::format("front-{}-{}", i, j),
        .title = fmt::format("Front of {} and {}", first_, second_),
        .description = fmt::format(
            "Mean {} across, mean {} upwards, one mark per weighting with "
            "{} weightings, bars are intervals over prompts; the hollow mark "
            "is the reference policy.",
            first_,
            second_,
            report_.points.size()),
        .standalone = alone};
  }

  DataRange range_of(const std::string& objective) const {
    DataRange range;
    const auto add = [&](const IntervalByObjective& rewards) {
      if (rewards.empty()) return;
      range.add(rewards.at(objective).low);
      range.add(rewards.at(objective).high);
    };
    for (const FrontPoint& point : report_.points)
      add(point.rewards);
    add(report_.reference.rewards);
    for (const BaselinePolicy& b : report_.baselines) {
      for (const FrontPoint& point : b.points)
        add(point.rewards);
    }
    return range.padded();
  }

  PlotPoint at(const IntervalByObjective& rewards) const {
    return {x_(rewards.at(first_).mean), y_(rewards.at(second_).mean)};
  }

  void path(
      const std::vector<FrontPoint>& points,
      const std::vector<std::size_t>& order,
      const char* kind) {
    if (!pair_) return;
    for (std::size_t k = 1; k < order.size(); ++k) {
      const FrontPoint& a = points[order[k - 1]];
      const FrontPoint& b = points[order[k]];
      if (a.alpha == b.alpha) plot_.line({at(a.rewards), at(b.rewards)}, kind);
    }
  }

  void bars(const IntervalByObjective& rewards, const std::string& colour) {
    const auto [x, y] = at(rewards);
    const Interval& across = rewards.at(first_);
    const Interval& upwards = rewards.at(second_);
    const char* kind = colour.empty() ? "whisker neutral"
                       : crowded_     ? "whisker faint"
                                      : "whisker";
    plot_.line({{x_(across.low), y}, {x_(across.high), y}}, kind, colour);
    plot_.line({{x, y_(upwards.low)}, {x, y_(upwards.high)}}, kind, colour);
    placer_.block({x, y});
  }

  std::string colour(const FrontPoint& point) const {
    return weighting_colour(ordered_weights(report_, point));
  }

  void mark(const FrontPoint& point) {
    const auto shown = [&](const std::string& name) {
      const Interval& x = point.rewards.at(name);
      return fmt::format(
          "{} {:.3f} [{:.3f}, {:.3f}]", name, x.mean, x.low, x.high);
    };
    const std::string tooltip = fmt::format(
        "weights {}: {}, {}",
        weighting_label(point, report_.objectives),
        shown(first_),
        shown(second_));
    const double radius = crowded_ ? kDotRadius : kMark;
    plot_.dot(at(point.rewards), radius, colour(point), tooltip);
  }

  void label(const FrontPoint& point) {
    if (pair_ && !crowded_) {
      write(at(point.rewards), plain_number(point.weights.at(first_)));
    } else if (!pair_) {
      for (const auto& [name, weight] : point.weights) {
        if (weight >= 1 - 1e-9)
          write(at(point.rewards), "only " + shorten(name, 16));
      }
    }
  }

  void write(PlotPoint mark, const std::string& text) {
    const double width = kLetterWidth * static_cast<double>(text.size());
    plot_.text(placer_.place(mark, width), text, "mark");
  }

  void reference() {
    if (report_.reference.rewards.empty()) return;
    bars(report_.reference.rewards, {});
    const auto [x, y] = at(report_.reference.rewards);
    plot_.area(
        {{x, y - kDiamond},
         {x + kDiamond, y},
         {x, y + kDiamond},
         {x - kDiamond, y}},
        "hollow neutral");
    write({x, y}, "reference");
  }

  // Solid where its training cost as many answers, dashed for a reference.
  void baseline(const BaselinePolicy& policy) {
    const std::vector<FrontPoint>& points = policy.points;
    if (points.empty()) return;
    const bool reference =
        !report_.comparison || is_reference_only(report_, policy.name);
    Report turned;
    turned.objectives = report_.objectives;
    turned.points = points;
    path(
        points,
        knob_order(turned),
        reference ? "dashed neutral" : "solid neutral");
    for (const FrontPoint& point : points) {
      bars(point.rewards, {});
      const auto [x, y] = at(point.rewards);
      plot_.area(
          {{x - kSquare, y - kSquare},
           {x + kSquare, y - kSquare},
           {x + kSquare, y + kSquare},
           {x - kSquare, y + kSquare}},
          "hollow neutral");
    }
    if (report_.baselines.size() > 1)
      write(at(points.back().rewards), shorten(policy.name, 16));
  }

  const Report& report_;
  std::string first_;
  std::string second_;
  bool pair_;
  bool crowded_;
  Plot plot_;
  Scale x_;
  Scale y_;
  LabelPlacer placer_;
};

// ---- Every weighting as one row: shares, rewards, KL ------------------------

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
  DataRange range;
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

std::string front_svg(
    const Report& report, std::size_t x, std::size_t y, bool standalone) {
  if (report.objectives.size() < 2) return {};
  return FrontPlot(report, x, y, standalone).draw();
}

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
