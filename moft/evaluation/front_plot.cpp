// The front: rewards against rewards (declared in plots.h).
#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "moft/evaluation/plots.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/svg.h"

namespace moft {
namespace {

struct Box {
  double left, top, right, bottom;
};

double overlap(const Box& a, const Box& b) {
  const double w = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double h = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return w > 0 && h > 0 ? w * h : 0;
}

// Finds room for labels beside marks: tries eight places and takes the one
// that covers least of what is already drawn.
class LabelPlacer {
 public:
  explicit LabelPlacer(Box field) : field_(field) {}

  void block(Box box) { taken_.push_back(box); }

  // A straight stroke blocks small boxes along itself.
  void block_line(SvgPoint a, SvgPoint b) {
    for (int k = 0; k <= 12; ++k) {
      const double t = k / 12.0;
      const double x = a.first + t * (b.first - a.first);
      const double y = a.second + t * (b.second - a.second);
      block({x - 1.5, y - 1.5, x + 1.5, y + 1.5});
    }
  }

  // BaselinePolicy start of the label's text, given its width.
  SvgPoint place(SvgPoint mark, double width) {
    static constexpr std::array<std::array<double, 2>, 8> kPlaces{
        {{1, -1}, {-1, -1}, {1, 1}, {-1, 1}, {1, 0}, {-1, 0}, {0, -1}, {0, 1}}};
    Box best{};
    double least = std::numeric_limits<double>::infinity();
    for (const double reach : {8.0, 15.0}) {
      for (const auto& [dx, dy] : kPlaces) {
        const Box box = beside(mark, width, dx, dy, reach);
        const double cost = cost_of(box) + 0.05 * reach;
        if (cost < least) {
          least = cost;
          best = box;
        }
      }
    }
    block(best);
    return {best.left, best.bottom - 2};
  }

 private:
  static Box beside(
      SvgPoint mark, double width, double dx, double dy, double reach) {
    const double height = 12;
    const double left = dx > 0   ? mark.first + reach
                        : dx < 0 ? mark.first - reach - width
                                 : mark.first - width / 2;
    const double middle = mark.second + dy * (dx == 0 ? reach + 6 : reach);
    return {left, middle - height / 2, left + width, middle + height / 2};
  }

  double cost_of(const Box& box) const {
    double cost = 0;
    for (const Box& other : taken_)
      cost += overlap(box, other);
    const double inside = overlap(box, field_);
    const double area = (box.right - box.left) * (box.bottom - box.top);
    return cost + 10 * (area - inside);
  }

  Box field_;
  std::vector<Box> taken_;
};

class FrontPlot {
 public:
  FrontPlot(const Report& report, std::size_t i, std::size_t j, bool alone)
      : report_(report),
        first_(report.objectives.at(i)),
        second_(report.objectives.at(j)),
        pair_(report.objectives.size() == 2),
        width_(pair_ ? 580 : 480),
        height_(pair_ ? 420 : 380),
        svg_(options(i, j, alone)),
        placer_({kLeft, kTop, width_ - kRight, height_ - kBottom}) {
    set_scales();
  }

  std::string draw() {
    axes();
    for (std::size_t b = 0; b < report_.baselines.size(); ++b)
      baseline(b);
    path(report_.points, order(), "path");
    reference();
    for (const std::size_t k : order())
      whiskers(report_.points[k]);
    for (const std::size_t k : order())
      mark(report_.points[k]);
    for (const std::size_t k : order())
      label(report_.points[k]);
    return svg_.str();
  }

 private:
  static constexpr double kLeft = 58;
  static constexpr double kRight = 24;
  static constexpr double kTop = 30;
  static constexpr double kBottom = 46;

  Svg::Options options(std::size_t i, std::size_t j, bool alone) const {
    return {
        width_,
        height_,
        fmt::format("front-{}-{}", i, j),
        fmt::format("Front of {} and {}", first_, second_),
        fmt::format(
            "Mean {} across, mean {} upwards, one mark per weighting with "
            "{} weightings, bars are intervals over prompts; the hollow mark "
            "is the reference policy.",
            first_,
            second_,
            report_.points.size()),
        alone};
  }

  void set_scales() {
    std::array<double, 4> range{1e300, -1e300, 1e300, -1e300};
    const auto add = [&](const IntervalByObjective& rewards) {
      if (rewards.empty()) return;
      range[0] = std::min(range[0], rewards.at(first_).low);
      range[1] = std::max(range[1], rewards.at(first_).high);
      range[2] = std::min(range[2], rewards.at(second_).low);
      range[3] = std::max(range[3], rewards.at(second_).high);
    };
    for (const FrontPoint& point : report_.points)
      add(point.rewards);
    add(report_.reference.rewards);
    for (const BaselinePolicy& b : report_.baselines) {
      for (const FrontPoint& point : b.points)
        add(point.rewards);
    }
    const auto [x_low, x_high] = padded(range[0], range[1]);
    const auto [y_low, y_high] = padded(range[2], range[3]);
    x_ = {x_low, x_high, kLeft, width_ - kRight};
    y_ = {y_low, y_high, height_ - kBottom, kTop};
  }

  bool crowded() const { return report_.points.size() > 24; }

  std::vector<std::size_t> order() const { return knob_order(report_); }

  SvgPoint at(const IntervalByObjective& rewards) const {
    return {x_(rewards.at(first_).mean), y_(rewards.at(second_).mean)};
  }

  void axes() {
    for (const double tick : nice_ticks(y_.low, y_.high)) {
      svg_.line({x_.from, y_(tick)}, {x_.to, y_(tick)}, "grid");
      svg_.text(
          {kLeft - 8, y_(tick) + 4}, plain_number(tick, 3), "tick", "end");
    }
    for (const double tick : nice_ticks(x_.low, x_.high)) {
      svg_.line({x_(tick), y_.from}, {x_(tick), y_.to}, "grid");
      svg_.text(
          {x_(tick), y_.from + 18}, plain_number(tick, 3), "tick", "middle");
    }
    svg_.line({x_.from, y_.from}, {x_.to, y_.from}, "axis");
    svg_.line({x_.from, y_.from}, {x_.from, y_.to}, "axis");
    svg_.text({(x_.from + x_.to) / 2, height_ - 8}, first_, "name", "middle");
    svg_.text({14, 16}, second_, "name");
    if (pair_) {
      svg_.text(
          {x_.to, 16},
          "labels: weight on " + shorten(first_, 24),
          "note",
          "end");
    }
  }

  void path(
      const std::vector<FrontPoint>& points,
      const std::vector<std::size_t>& turn,
      const char* kind) {
    if (!pair_) return;
    for (std::size_t k = 1; k < turn.size(); ++k) {
      const FrontPoint& a = points[turn[k - 1]];
      const FrontPoint& b = points[turn[k]];
      if (a.alpha != b.alpha) continue;
      svg_.line(at(a.rewards), at(b.rewards), kind);
      placer_.block_line(at(a.rewards), at(b.rewards));
    }
  }

  void bars(const IntervalByObjective& rewards, const std::string& colour) {
    const auto [x, y] = at(rewards);
    const Interval& across = rewards.at(first_);
    const Interval& upwards = rewards.at(second_);
    const char* kind = colour.empty() ? "whisker neutral"
                       : crowded()    ? "whisker faint"
                                      : "whisker";
    svg_.line({x_(across.low), y}, {x_(across.high), y}, kind, colour);
    svg_.line({x, y_(upwards.low)}, {x, y_(upwards.high)}, kind, colour);
    placer_.block_line({x_(across.low), y}, {x_(across.high), y});
    placer_.block_line({x, y_(upwards.low)}, {x, y_(upwards.high)});
    placer_.block({x - 6, y - 6, x + 6, y + 6});
  }

  std::string colour(const FrontPoint& point) const {
    std::vector<double> weights;
    for (const std::string& name : report_.objectives) {
      weights.push_back(point.weights.at(name));
    }
    return weighting_colour(weights);
  }

  void whiskers(const FrontPoint& point) { bars(point.rewards, colour(point)); }

  void mark(const FrontPoint& point) {
    const Interval& x = point.rewards.at(first_);
    const Interval& y = point.rewards.at(second_);
    svg_.disc(
        at(point.rewards),
        crowded() ? 3.5 : 5.5,
        "dot",
        colour(point),
        fmt::format(
            "weights {}: {} {:.3f} [{:.3f}, {:.3f}], {} {:.3f} [{:.3f}, "
            "{:.3f}]",
            weighting_label(point, report_.objectives),
            first_,
            x.mean,
            x.low,
            x.high,
            second_,
            y.mean,
            y.low,
            y.high));
  }

  void label(const FrontPoint& point) {
    std::string text;
    if (pair_ && !crowded()) {
      text = plain_number(point.weights.at(first_));
    } else if (!pair_) {
      for (const auto& [name, weight] : point.weights) {
        if (weight >= 1 - 1e-9) text = "only " + shorten(name, 16);
      }
    }
    if (!text.empty()) write_label(at(point.rewards), text);
  }

  void write_label(SvgPoint mark, const std::string& text) {
    const double width = 6.4 * static_cast<double>(text.size()) + 2;
    svg_.text(placer_.place(mark, width), text, "mark");
  }

  void reference() {
    if (report_.reference.rewards.empty()) return;
    bars(report_.reference.rewards, {});
    const auto [x, y] = at(report_.reference.rewards);
    svg_.polygon(
        {{x, y - 6.5}, {x + 6.5, y}, {x, y + 6.5}, {x - 6.5, y}},
        "hollow neutral",
        {});
    write_label({x, y}, "reference");
  }

  void baseline(std::size_t b) {
    const std::vector<FrontPoint>& points = report_.baselines[b].points;
    if (points.empty()) return;
    Report turned;
    turned.objectives = report_.objectives;
    turned.points = points;
    path(points, knob_order(turned), "dashed neutral");
    for (const FrontPoint& point : points) {
      const auto [x, y] = at(point.rewards);
      bars(point.rewards, {});
      svg_.rectangle({x - 4, y - 4}, 8, 8, "hollow neutral");
    }
  }

  const Report& report_;
  std::string first_;
  std::string second_;
  bool pair_;
  double width_;
  double height_;
  Svg svg_;
  LabelPlacer placer_;
  Scale x_;
  Scale y_;
};

}  // namespace

std::string weighting_label(
    const FrontPoint& point, const std::vector<std::string>& objectives) {
  if (objectives.size() == 1) return plain_number(point.alpha, 4);
  std::string out;
  for (const std::string& name : objectives) {
    if (!out.empty()) out += " / ";
    out += plain_number(point.weights.at(name));
  }
  return out;
}

std::string front_svg(
    const Report& report, std::size_t x, std::size_t y, bool standalone) {
  if (report.objectives.size() < 2) return {};
  return FrontPlot(report, x, y, standalone).draw();
}

}  // namespace moft
