// The counterexample of section 6.2 as a picture.
#include "verify/counterexample_plot.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "moft/evaluation/plot.h"

#include "verify/counterexample.h"

namespace moft::exact {
namespace {

constexpr int kSteps = 20'000;
constexpr double kSide = 440;
constexpr double kAboveMark = 9;  // from a mark to the name above it

class Picture {
 public:
  Picture()
      : plot_(
            {.width = kSide,
             .height = kSide,
             .id = "counterexample",
             .title = "The counterexample of section 6.2",
             .description =
                 "Expected rewards under eleven weightings: a soup of experts "
                 "walks along the chord between the two extreme outputs, "
                 "copies trained together reach the compromise.",
             .standalone = true}),
        x_(plot_.across({0, 1.05})),
        y_(plot_.upwards({0, 1.05})) {
    plot_.axes(x_, y_, "E R1", "E R2");
  }

  void front(const Policy3& policy, std::string_view name, std::size_t hue) {
    const std::string colour = objective_colour(hue);
    const CounterexampleFront front = measure(policy);
    std::vector<PlotPoint> points;
    for (const Vector& rewards : front.points)
      points.push_back(place(rewards));
    plot_.line(points, "curve", colour);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double lambda = static_cast<double>(i) / 10;
      plot_.dot(
          points[i],
          kDotRadius,
          colour,
          fmt::format("{}, lambda {:.1f}", name, lambda));
    }
    const PlotPoint key = place({.05, 1 - .05 * static_cast<double>(hue)});
    plot_.dot(key, kDotRadius, colour);
    plot_.text(
        {key.first + kAboveMark, key.second + kHalfLetter},
        fmt::format("{}: value {:.3f}", name, front.moft),
        "mark");
  }

  void outputs() {
    const Matrix& rewards = counterexample_rewards();
    for (std::size_t y = 0; y < 3; ++y) {
      const auto [across, down] = place({rewards[0][y], rewards[1][y]});
      plot_.text(
          {across, down - kAboveMark},
          fmt::format("y{}", y + 1),
          "mark",
          "middle");
    }
  }

  std::string str() const { return plot_.str(); }

 private:
  PlotPoint place(const Vector& rewards) const {
    return {x_(rewards[0]), y_(rewards[1])};
  }

  Plot plot_;
  Scale x_;
  Scale y_;
};

}  // namespace

std::string counterexample_svg() {
  Picture picture;
  const Policy3 soup = mixture(
      train_expert(0, {.steps = kSteps / 2}),
      train_expert(1, {.steps = kSteps / 2}));
  const Matrix copies = train_together({.steps = kSteps});
  picture.front(soup, "experts mixed", 0);
  picture.front(mixture(copies[0], copies[1]), "trained together", 1);
  picture.outputs();
  return picture.str();
}

}  // namespace moft::exact
