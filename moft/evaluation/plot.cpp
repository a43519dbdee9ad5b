// Pictures as SVG.
#include "moft/evaluation/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "moft/evaluation/markup.h"

namespace moft {
namespace {

constexpr double kTickGap = 8;      // from an axis to the numbers beside it
constexpr double kTickDrop = 18;    // from an axis down to its numbers
constexpr double kNameInset = 14;   // of the name of the y axis
constexpr double kBottomInset = 8;  // of the name of the x axis
constexpr double kAirShare = 0.06;  // of a padded range, at each end
constexpr double kLeastAir = 0.05;  // of a range without width
constexpr double kNoWidth = 1e-12;
constexpr double kTickSlack = 1e-9;  // steps by which a tick may lie outside

std::string unit(double x) {
  return plain_number(x, 1);
}

std::string list(const std::vector<PlotPoint>& points) {
  std::string out;
  for (const auto& [x, y] : points) {
    if (!out.empty()) out += ' ';
    out += unit(x) + "," + unit(y);
  }
  return out;
}

std::string paint(std::string_view property, std::string_view colour) {
  if (colour.empty()) return {};
  return fmt::format(" {}=\"{}\"", property, escape_markup(colour));
}

using Colour = std::array<double, 3>;  // red, green, blue in [0, 255]

constexpr std::array<Colour, 6> kHues{
    {{0x2b, 0x7b, 0xba},
     {0xd0, 0x66, 0x1a},
     {0x1a, 0x93, 0x6f},
     {0xb8, 0x60, 0x9a},
     {0x3f, 0xa2, 0xd6},
     {0xa6, 0x8a, 0x00}}};

std::string written(const Colour& colour) {
  std::string out = "#";
  for (const double c : colour)
    out += fmt::format("{:02x}", std::lround(c));
  return out;
}

}  // namespace

void DataRange::add(double x) {
  low = std::min(low, x);
  high = std::max(high, x);
}

void DataRange::add(const std::vector<double>& values) {
  for (const double x : values)
    add(x);
}

DataRange DataRange::padded() const {
  const double width = high - low;
  const double air = width > kNoWidth
                         ? kAirShare * width
                         : std::max(kLeastAir * std::abs(low), kLeastAir);
  return {low - air, high + air};
}

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double part = rough / power;
  const double step = power * (part < 1.5   ? 1
                               : part < 3.5 ? 2
                               : part < 7.5 ? 5
                                            : 10);
  std::vector<double> ticks;
  const double slack = kTickSlack * step;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack;
       ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

std::string objective_colour(std::size_t i) {
  return written(kHues[i % kHues.size()]);
}

std::string weighting_colour(const std::vector<double>& weights) {
  Colour mix{};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t c = 0; c < mix.size(); ++c)
      mix[c] += weights[i] * kHues[i % kHues.size()][c];
  }
  return written(mix);
}

void Plot::line(
    const std::vector<PlotPoint>& points,
    std::string_view kind,
    std::string_view colour) {
  add("polyline", points, kind, paint("stroke", colour));
}

void Plot::area(
    const std::vector<PlotPoint>& points,
    std::string_view kind,
    std::string_view colour) {
  add("polygon", points, kind, paint("fill", colour));
}

void Plot::add(
    std::string_view shape,
    const std::vector<PlotPoint>& points,
    std::string_view kind,
    const std::string& paint) {
  body_ += fmt::format(
      "<{} points=\"{}\" class=\"{}\"{}/>\n", shape, list(points), kind, paint);
}

void Plot::dot(
    PlotPoint at,
    double radius,
    std::string_view colour,
    std::string_view tooltip) {
  body_ += fmt::format(
      "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"dot\"{}>",
      unit(at.first),
      unit(at.second),
      unit(radius),
      paint("fill", colour));
  if (!tooltip.empty())
    body_ += "<title>" + escape_markup(tooltip) + "</title>";
  body_ += "</circle>\n";
}

void Plot::text(
    PlotPoint at,
    std::string_view text,
    std::string_view kind,
    std::string_view anchor) {
  body_ += fmt::format(
      "<text x=\"{}\" y=\"{}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n",
      unit(at.first),
      unit(at.second),
      kind,
      anchor,
      escape_markup(text));
}

Scale Plot::across(const DataRange& x, const PlotMargins& margins) const {
  return {x.low, x.high, margins.left, options_.width - margins.right};
}

Scale Plot::upwards(const DataRange& y, const PlotMargins& margins) const {
  return {y.low, y.high, options_.height - margins.bottom, margins.top};
}

void Plot::axes(
    const Scale& x,
    const Scale& y,
    std::string_view x_name,
    std::string_view y_name) {
  for (const double tick : nice_ticks(y.low, y.high)) {
    line({{x.from, y(tick)}, {x.to, y(tick)}}, "grid");
    const PlotPoint at{x.from - kTickGap, y(tick) + kHalfLetter};
    text(at, plain_number(tick, 3), "tick", "end");
  }
  for (const double tick : nice_ticks(x.low, x.high)) {
    line({{x(tick), y.from}, {x(tick), y.to}}, "grid");
    text(
        {x(tick), y.from + kTickDrop}, plain_number(tick, 3), "tick", "middle");
  }
  line({{x.from, y.to}, {x.from, y.from}, {x.to, y.from}}, "axis");
  const PlotPoint below{(x.from + x.to) / 2, options_.height - kBottomInset};
  text(below, x_name, "name", "middle");
  text({kNameInset, kNameLine}, y_name, "name");
}

std::string Plot::str() const {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-labelledby=\"{2}-title {2}-desc\">\n"
      "<title id=\"{2}-title\">{3}</title>\n"
      "<desc id=\"{2}-desc\">{4}</desc>\n",
      unit(options_.width),
      unit(options_.height),
      escape_markup(options_.id),
      escape_markup(options_.title),
      escape_markup(options_.description));
  if (options_.standalone) {
    out += fmt::format(
        "<style>{}{}</style>\n<rect width=\"{}\" height=\"{}\" "
        "class=\"paper\"/>\n",
        plot_variables(),
        plot_style(),
        unit(options_.width),
        unit(options_.height));
  }
  return out + body_ + "</svg>\n";
}

}  // namespace moft
