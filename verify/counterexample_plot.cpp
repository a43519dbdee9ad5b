#include "verify/counterexample_plot.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "moft/evaluation/svg.h"

#include "verify/counterexample.h"

namespace moft::exact {
namespace {

constexpr int kSteps = 20'000;
const Scale kX{.low = 0, .high = 1.05, .from = 52, .to = 420};
const Scale kY{.low = 0, .high = 1.05, .from = 396, .to = 28};

SvgPoint place(const Vector& rewards) {
  return {kX(rewards[0]), kY(rewards[1])};
}

void draw_axes(Svg& svg) {
  for (const double tick : {0.0, .25, .5, .75, 1.0}) {
    svg.line({kX.from, kY(tick)}, {kX.to, kY(tick)}, "grid");
    svg.text({kX.from - 7, kY(tick) + 4}, plain_number(tick), "tick", "end");
    svg.text({kX(tick), kY.from + 17}, plain_number(tick), "tick", "middle");
  }
  svg.line({kX.from, kY.from}, {kX.to, kY.from}, "axis");
  svg.line({kX.from, kY.from}, {kX.from, kY.to}, "axis");
  svg.text({kX.from - 44, 16}, "E R2", "name");
  svg.text({kX.to, kY.from + 34}, "E R1", "name", "end");
}

void draw_front(
    Svg& svg, const Policy3& policy, std::string_view name, std::size_t hue) {
  const std::string colour = objective_colour(hue);
  std::vector<SvgPoint> points;
  const CounterexampleFront front = measure(policy);
  for (const Vector& rewards : front.points)
    points.push_back(place(rewards));
  svg.polyline(points, "curve", colour);
  for (std::size_t i = 0; i < points.size(); ++i) {
    svg.disc(
        points[i],
        3.5,
        "dot",
        colour,
        fmt::format("{}, lambda {:.1f}", name, static_cast<double>(i) / 10));
  }
  const double line = 60.0 + 18.0 * static_cast<double>(hue);
  svg.disc({kX.from + 16, line - 4}, 3.5, "dot", colour);
  svg.text(
      {kX.from + 26, line},
      fmt::format("{}: value {:.3f}", name, front.moft),
      "mark");
}

}  // namespace

std::string counterexample_svg() {
  Svg svg(
      {.width = 440,
       .height = 440,
       .id = "counterexample",
       .title = "The counterexample of section 6.2",
       .description =
           "Expected rewards under eleven weightings: a soup of experts walks "
           "along the chord between the two extreme outputs, copies trained "
           "together reach the compromise.",
       .standalone = true});
  draw_axes(svg);
  const Policy3 soup = mixture(
      train_expert(0, {.steps = kSteps / 2}),
      train_expert(1, {.steps = kSteps / 2}));
  const Matrix copies = train_together({.steps = kSteps});
  draw_front(svg, soup, "experts mixed", 0);
  draw_front(svg, mixture(copies[0], copies[1]), "trained together", 1);
  for (std::size_t y = 0; y < 3; ++y) {
    const Matrix& rewards = counterexample_rewards();
    const SvgPoint at = place({rewards[0][y], rewards[1][y]});
    svg.text(
        {at.first, at.second - 9}, fmt::format("y{}", y + 1), "mark", "middle");
  }
  return svg.str();
}

}  // namespace moft::exact
