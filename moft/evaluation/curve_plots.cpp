// Curves with bands, named at their right ends.
#include "moft/evaluation/curve_plots.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "moft/evaluation/markup.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

constexpr std::size_t kLongestName = 16;  // letters beside a curve
constexpr std::size_t kLongestAxis = 30;  // letters of an objective on an axis
constexpr double kKeyGap = 6;             // from the field to a curve's key
constexpr double kKeyLength = 9;
constexpr double kLineHeight = 15;

struct Curve {
  std::string name;  // written beside the curve; empty for none
  std::string colour;
  const char* kind = "curve";  // a class of plot_style; "" for dots alone
  bool dots = false;
  std::vector<double> x = {};
  std::vector<Interval> y = {};

  void add(double at, const Interval& value) {
    x.push_back(at);
    y.push_back(value);
  }
};

Interval exactly(double x) {
  return {x, x, x};
}

// Names beside the curves' ends, pushed apart so that none covers another.
void draw_names(
    Plot& plot,
    const std::vector<Curve>& curves,
    const Scale& x,
    const Scale& y) {
  std::vector<std::pair<double, const Curve*>> names;
  for (const Curve& curve : curves) {
    if (!curve.name.empty()) names.emplace_back(y(curve.y.back().mean), &curve);
  }
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.first < b.first;
  });
  for (std::size_t k = 1; k < names.size(); ++k)
    names[k].first = std::max(names[k].first, names[k - 1].first + kLineHeight);
  double floor = y.from;
  for (std::size_t k = names.size(); k-- > 0;) {
    names[k].first = std::min(names[k].first, floor);
    floor = names[k].first - kLineHeight;
  }
  for (const auto& [at, curve] : names) {
    const double key = x.to + kKeyGap;
    const double text = key + kKeyLength + kHalfLetter;
    plot.line({{key, at}, {key + kKeyLength, at}}, curve->kind, curve->colour);
    plot.text(
        {text, at + kHalfLetter}, shorten(curve->name, kLongestName), "tick");
  }
}

void draw_band(Plot& plot, const Curve& curve, const Scale& x, const Scale& y) {
  std::vector<PlotPoint> outline;
  for (std::size_t k = 0; k < curve.x.size(); ++k)
    outline.emplace_back(x(curve.x[k]), y(curve.y[k].high));
  for (std::size_t k = curve.x.size(); k-- > 0;)
    outline.emplace_back(x(curve.x[k]), y(curve.y[k].low));
  plot.area(outline, "band", curve.colour);
}

void draw_curve(
    Plot& plot, const Curve& curve, const Scale& x, const Scale& y) {
  std::vector<PlotPoint> points;
  for (std::size_t k = 0; k < curve.x.size(); ++k)
    points.emplace_back(x(curve.x[k]), y(curve.y[k].mean));
  if (*curve.kind != '\0') plot.line(points, curve.kind, curve.colour);
  for (std::size_t k = 0; curve.dots && k < points.size(); ++k) {
    const auto& [mean, low, high] = curve.y[k];
    std::string tip =
        plain_number(curve.x[k], 3) + ": " + plain_number(mean, 3);
    if (low < high) tip += fmt::format(" [{:.3f}, {:.3f}]", low, high);
    plot.dot(points[k], kDotRadius, curve.colour, tip);
  }
}

struct Axes {
  std::string x;
  std::string y;
  DataRange range = {};  // of x; empty: that of the data
};

// Empty without data.
std::string curves_svg(
    PlotOptions options, const Axes& axes, const std::vector<Curve>& curves) {
  DataRange across = axes.range, along;
  PlotMargins margins;
  for (const Curve& curve : curves) {
    if (axes.range.empty()) across.add(curve.x);
    for (const Interval& value : curve.y)
      along.add({value.mean, value.low, value.high});
    const auto letters =
        static_cast<double>(std::min(curve.name.size(), kLongestName));
    margins.right =
        std::max(margins.right, PlotMargins().right + kLetterWidth * letters);
  }
  if (along.empty()) return {};
  if (across.high <= across.low) across = across.padded();
  Plot plot(std::move(options));
  const Scale x = plot.across(across, margins);
  const Scale y = plot.upwards(along.padded(), margins);
  plot.axes(x, y, axes.x, axes.y);
  for (const Curve& curve : curves)
    draw_band(plot, curve, x, y);
  for (const Curve& curve : curves)
    draw_curve(plot, curve, x, y);
  draw_names(plot, curves, x, y);
  return plot.str();
}

// ---- Against the weight of the first objective ------------------------------

using Measure = std::function<Interval(const FrontPoint&)>;

// Adds one curve per KL strength.
void add_along_the_knob(
    std::vector<Curve>& curves,
    const Report& report,
    const Curve& pattern,
    const Measure& measure) {
  const std::vector<std::size_t> order = knob_order(report);
  const bool several =
      report.points[order.front()].alpha != report.points[order.back()].alpha;
  double alpha = -1;
  for (const std::size_t k : order) {
    const FrontPoint& point = report.points[k];
    if (point.alpha != alpha) {
      alpha = point.alpha;
      curves.push_back(pattern);
      if (several && !pattern.name.empty())
        curves.back().name += " \u03b1=" + plain_number(alpha, 3);
    }
    const double weight = point.weights.at(report.objectives.front());
    curves.back().add(weight, measure(point));
  }
}

// The reference policy's figure, the same at every weight.
Curve level(const std::string& name, const std::string& colour, double y) {
  Curve curve{name, colour, "dashed"};
  curve.add(0, exactly(y));
  curve.add(1, exactly(y));
  return curve;
}

std::string knob_svg(
    const Report& report,
    const std::string& id,
    const std::string& y,
    const std::vector<Curve>& curves) {
  const std::string& first = report.objectives.front();
  return curves_svg(
      {.id = "knob-" + id,
       .title = y + " against the weighting",
       .description = fmt::format(
           "{} for weights on {} from 0 to 1; bands are intervals over "
           "prompts. Dashed: the reference policy.",
           y,
           first)},
      {"weight on " + shorten(first, kLongestAxis), y, {0, 1}},
      curves);
}

// ---- While training ---------------------------------------------------------

using Quantity = std::function<std::optional<double>(const TrainingRow&)>;

// Running mean over a window that grows with the run.
std::vector<double> smoothed(const std::vector<double>& y) {
  constexpr std::size_t kWindows = 40;   // half windows in a run
  constexpr std::size_t kShortRun = 10;  // shorter ones are not smoothed
  const std::size_t half =
      y.size() / kWindows + (y.size() >= kShortRun ? 1 : 0);
  std::vector<double> result;
  for (std::size_t k = 0; k < y.size(); ++k) {
    const std::size_t start = k < half ? 0 : k - half;
    const std::size_t stop = std::min(y.size(), k + half + 1);
    double sum = 0;
    for (std::size_t n = start; n < stop; ++n)
      sum += y[n];
    result.push_back(sum / static_cast<double>(stop - start));
  }
  return result;
}

// Adds a quantity as it was and smoothed.
void add_training(
    std::vector<Curve>& curves,
    const Report& report,
    const Curve& pattern,
    const Quantity& quantity) {
  Curve raw{"", pattern.colour, "thin"};
  std::vector<double> values;
  for (const TrainingRow& row : report.training) {
    const std::optional<double> y = quantity(row);
    if (!y) continue;
    values.push_back(*y);
    raw.add(row.step, exactly(*y));
  }
  if (values.empty()) return;
  Curve smooth = pattern;
  const std::vector<double> means = smoothed(values);
  for (std::size_t k = 0; k < means.size(); ++k)
    smooth.add(raw.x[k], exactly(means[k]));
  curves.push_back(std::move(raw));
  curves.push_back(std::move(smooth));
}

std::string training_svg(
    const std::string& id,
    const std::string& y,
    const std::vector<Curve>& curves) {
  return curves_svg(
      {.id = "training-" + id,
       .title = y + " while training",
       .description = "Faint: every step. Strong: a running mean over "
                      "neighbouring steps."},
      {"training step", y},
      curves);
}

}  // namespace

std::vector<std::string> knob_svgs(const Report& report) {
  if (report.objectives.size() != 2) return {};
  const Curve policy{"policy", kPolicyColour, "curve", true};
  const Curve reference{"reference", kReferenceColour, "dashed"};
  const bool compared = !report.reference.rewards.empty();
  std::vector<Curve> rewards, value, kl, words;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const std::string& name = report.objectives[i];
    const Curve pattern{name, objective_colour(i), "curve", true};
    add_along_the_knob(rewards, report, pattern, [&](const FrontPoint& p) {
      return p.rewards.at(name);
    });
    if (!compared) continue;
    const double mean = report.reference.rewards.at(name).mean;
    rewards.push_back(level("", pattern.colour, mean));
  }
  add_along_the_knob(
      value, report, policy, [](const FrontPoint& p) { return p.value; });
  add_along_the_knob(
      kl, report, {"", kPolicyColour, "curve", true}, [](const FrontPoint& p) {
        return p.kl;
      });
  add_along_the_knob(words, report, policy, [](const FrontPoint& p) {
    return exactly(p.words);
  });
  if (compared) {
    add_along_the_knob(value, report, reference, [](const FrontPoint& p) {
      return exactly(p.reference_value);
    });
    words.push_back(
        level("reference", kReferenceColour, report.reference.words));
  }
  return {
      knob_svg(report, "rewards", "Reward", rewards),
      knob_svg(report, "value", "Value V, KL included", value),
      knob_svg(report, "kl", "KL from the reference (nats)", kl),
      knob_svg(report, "words", "Words per answer", words)};
}

std::string own_weight_svg(const Report& report, std::size_t i) {
  const std::string& name = report.objectives.at(i);
  const bool single = report.objectives.size() == 1;
  Curve dots{"", objective_colour(i), "", true};
  std::map<double, std::pair<double, double>> levels;  // weight -> sum, count
  for (const FrontPoint& point : report.points) {
    const double x = single ? point.alpha : point.weights.at(name);
    const double y = point.rewards.at(name).mean;
    dots.add(x, exactly(y));
    auto& [sum, count] = levels[std::round(x * 1e9) * 1e-9];
    sum += y;
    count += 1;
  }
  Curve mean{"", objective_colour(i)};
  for (const auto& [weight, sums] : levels)
    mean.add(weight, exactly(sums.first / sums.second));
  std::vector<Curve> curves{std::move(mean), std::move(dots)};
  if (!report.reference.rewards.empty()) {
    const double reference = report.reference.rewards.at(name).mean;
    curves.push_back(level("reference", kReferenceColour, reference));
  }
  return curves_svg(
      {.id = fmt::format("own-weight-{}", i),
       .title = fmt::format(
           "{} against {}",
           name,
           single ? "the KL strength" : "its own weight"),
       .description = single ? "One dot for each KL strength alpha."
                             : "Dots: every weighting. Line: mean of the "
                               "weightings with that weight."},
      {single ? "KL strength \u03b1"
              : "weight on " + shorten(name, kLongestAxis),
       name,
       {0, 1}},
      curves);
}

std::vector<std::string> training_svgs(const Report& report) {
  std::vector<Curve> rewards;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const std::string& name = report.objectives[i];
    const auto quantity = [&](const TrainingRow& r) {
      const auto found = r.rewards.find(name);
      return found == r.rewards.end() ? std::nullopt
                                      : std::optional(found->second);
    };
    add_training(rewards, report, {name, objective_colour(i)}, quantity);
  }
  std::vector<std::string> result{training_svg("rewards", "Reward", rewards)};
  const auto add = [&](const char* id, const char* y, const Quantity& q) {
    std::vector<Curve> curves;
    add_training(curves, report, {"", kPolicyColour}, q);
    result.push_back(training_svg(id, y, curves));
  };
  add("kl", "KL from the reference (nats)", [](const auto& r) { return r.kl; });
  add("entropy", "Entropy per token (nats)", [](const auto& r) {
    return r.entropy;
  });
  add("length", "Tokens per answer", [](const auto& r) {
    return r.mean_length;
  });
  std::erase(result, std::string());
  return result;
}

}  // namespace moft
