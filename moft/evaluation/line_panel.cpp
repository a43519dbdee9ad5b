#include "moft/evaluation/line_panel.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "moft/evaluation/svg.h"

namespace moft {
namespace {

constexpr double kWidth = 480;
constexpr double kHeight = 300;
constexpr double kLeft = 52;
constexpr double kTop = 34;
constexpr double kBottom = 44;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(const std::vector<double>& values) {
    for (const double x : values) {
      low = std::min(low, x);
      high = std::max(high, x);
    }
  }
};

double right_margin(const LinePanel& panel) {
  std::size_t longest = 0;
  for (const LineSeries& series : panel.series) {
    longest = std::max(longest, std::min<std::size_t>(series.name.size(), 16));
  }
  return longest == 0 ? 16 : 24 + 6.6 * static_cast<double>(longest);
}

void draw_axes(
    Svg& svg, const LinePanel& panel, const Scale& x, const Scale& y) {
  for (const double tick : nice_ticks(y.low, y.high)) {
    svg.line({x.from, y(tick)}, {x.to, y(tick)}, "grid");
    svg.text({kLeft - 7, y(tick) + 4}, plain_number(tick, 3), "tick", "end");
  }
  svg.line({x.from, y.from}, {x.to, y.from}, "axis");
  for (const double tick : nice_ticks(x.low, x.high)) {
    svg.line({x(tick), y.from}, {x(tick), y.from + 4}, "axis");
    svg.text({x(tick), y.from + 17}, plain_number(tick, 3), "tick", "middle");
  }
  svg.text({kLeft - 44, 16}, panel.y_label, "name");
  svg.text({(x.from + x.to) / 2, kHeight - 8}, panel.x_label, "note", "middle");
}

void draw_band(
    Svg& svg, const LineSeries& series, const Scale& x, const Scale& y) {
  if (series.low.empty()) return;
  std::vector<SvgPoint> outline;
  for (std::size_t k = 0; k < series.x.size(); ++k) {
    outline.emplace_back(x(series.x[k]), y(series.high[k]));
  }
  for (std::size_t k = series.x.size(); k-- > 0;) {
    outline.emplace_back(x(series.x[k]), y(series.low[k]));
  }
  svg.polygon(outline, "band", series.colour);
}

void draw_curve(
    Svg& svg, const LineSeries& series, const Scale& x, const Scale& y) {
  std::vector<SvgPoint> points;
  for (std::size_t k = 0; k < series.x.size(); ++k) {
    points.emplace_back(x(series.x[k]), y(series.y[k]));
  }
  const char* kind = series.thin ? "thin" : series.dashed ? "dashed" : "curve";
  svg.polyline(points, kind, series.colour);
  if (!series.dots) return;
  for (std::size_t k = 0; k < points.size(); ++k) {
    std::string tip = fmt::format(
        "{}: {}", plain_number(series.x[k], 3), plain_number(series.y[k], 3));
    if (!series.low.empty()) {
      tip += fmt::format(
          " [{}, {}]",
          plain_number(series.low[k], 3),
          plain_number(series.high[k], 3));
    }
    svg.disc(points[k], 3.5, "dot", series.colour, tip);
  }
}

struct EndLabel {
  double y;
  const LineSeries* series;
};

// Labels beside the curves' ends, pushed apart so that none covers another.
void draw_labels(
    Svg& svg, const LinePanel& panel, const Scale& x, const Scale& y) {
  std::vector<EndLabel> labels;
  for (const LineSeries& series : panel.series) {
    if (series.name.empty() || series.y.empty()) continue;
    labels.push_back({y(series.y.back()), &series});
  }
  std::sort(labels.begin(), labels.end(), [](const auto& a, const auto& b) {
    return a.y < b.y;
  });
  const double gap = 15;
  for (std::size_t k = 1; k < labels.size(); ++k) {
    labels[k].y = std::max(labels[k].y, labels[k - 1].y + gap);
  }
  double floor = y.from;
  for (std::size_t k = labels.size(); k-- > 0; floor = labels[k].y - gap) {
    labels[k].y = std::min(labels[k].y, floor);
    if (k == 0) break;
  }
  for (const EndLabel& label : labels) {
    const std::string& colour = label.series->colour;
    if (!label.series->dashed) {
      svg.line({x.to + 6, label.y}, {x.to + 14, label.y}, "curve", colour);
    } else {
      svg.line({x.to + 5, label.y}, {x.to + 15, label.y}, "dashed", colour);
    }
    svg.text({x.to + 19, label.y + 4}, shorten(label.series->name, 16), "tick");
  }
}

}  // namespace

std::string line_panel_svg(const LinePanel& panel) {
  Range across, along;
  for (const LineSeries& series : panel.series) {
    across.add(series.x);
    along.add(series.y);
    along.add(series.low);
    along.add(series.high);
  }
  if (across.low > across.high) return {};
  double x_low = panel.x_low.value_or(across.low);
  double x_high = panel.x_high.value_or(across.high);
  if (x_high <= x_low) std::tie(x_low, x_high) = padded(x_low, x_low);
  const auto [y_low, y_high] = padded(along.low, along.high);
  const Scale x{x_low, x_high, kLeft, kWidth - right_margin(panel)};
  const Scale y{y_low, y_high, kHeight - kBottom, kTop};
  Svg svg({kWidth, kHeight, panel.id, panel.title, panel.description, false});
  draw_axes(svg, panel, x, y);
  for (const auto& series : panel.series)
    draw_band(svg, series, x, y);
  for (const auto& series : panel.series)
    draw_curve(svg, series, x, y);
  draw_labels(svg, panel, x, y);
  return svg.str();
}

}  // namespace moft
