// Pictures other than the front itself (declared in plots.h).
#include "moft/evaluation/plots.h"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "moft/evaluation/line_panel.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/svg.h"

namespace moft {
namespace {

constexpr const char* kNeutral = "#7d8590";

using Measure = std::function<Interval(const FrontPoint&)>;

Interval exactly(double x) {
  return {x, x, x};
}

// One series per KL strength, along the weight of the first objective.
std::vector<LineSeries> along_the_knob(
    const Report& report, const LineSeries& pattern, const Measure& measure) {
  std::vector<LineSeries> result;
  const std::vector<std::size_t> order = knob_order(report);
  const bool several =
      report.points[order.front()].alpha != report.points[order.back()].alpha;
  double alpha = -1;
  for (const std::size_t k : order) {
    const FrontPoint& point = report.points[k];
    if (result.empty() || point.alpha != alpha) {
      alpha = point.alpha;
      result.push_back(pattern);
      if (several && !pattern.name.empty()) {
        result.back().name += " \u03b1=" + plain_number(alpha, 3);
      }
    }
    const Interval y = measure(point);
    LineSeries& series = result.back();
    series.x.push_back(point.weights.at(report.objectives.front()));
    series.y.push_back(y.mean);
    if (pattern.dashed) continue;
    series.low.push_back(y.low);
    series.high.push_back(y.high);
  }
  return result;
}

LinePanel knob_panel(const Report& report, std::string id, std::string y) {
  LinePanel panel;
  panel.id = std::move(id);
  panel.title = fmt::format("{} against the weighting", y);
  panel.description = fmt::format(
      "{} for weights on {} from 0 to 1; bands are intervals over prompts.",
      y,
      report.objectives.front());
  panel.x_label = "weight on " + shorten(report.objectives.front(), 30);
  panel.y_label = std::move(y);
  panel.x_low = 0;
  panel.x_high = 1;
  return panel;
}

void add(LinePanel& panel, std::vector<LineSeries> series) {
  for (LineSeries& line : series)
    panel.series.push_back(std::move(line));
}

LineSeries flat(const std::string& name, const std::string& colour, double y) {
  LineSeries series;
  series.name = name;
  series.colour = colour;
  series.x = {0, 1};
  series.y = {y, y};
  series.dots = false;
  series.dashed = true;
  return series;
}

LineSeries solid(const std::string& name, const std::string& colour) {
  LineSeries series;
  series.name = name;
  series.colour = colour;
  return series;
}

std::string rewards_panel(const Report& report) {
  LinePanel panel = knob_panel(report, "knob-rewards", "Reward");
  panel.description += " Dashed: the reference policy.";
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const std::string& name = report.objectives[i];
    add(panel,
        along_the_knob(
            report, solid(name, objective_colour(i)), [&](const FrontPoint& p) {
              return p.rewards.at(name);
            }));
    if (report.reference.rewards.empty()) continue;
    panel.series.push_back(
        flat("", objective_colour(i), report.reference.rewards.at(name).mean));
  }
  return line_panel_svg(panel);
}

std::string value_panel(const Report& report) {
  LinePanel panel = knob_panel(report, "knob-value", "Value V, KL included");
  add(panel,
      along_the_knob(
          report, solid("policy", "#6a5acd"), [](const FrontPoint& p) {
            return p.value;
          }));
  if (!report.reference.rewards.empty()) {
    LineSeries pattern = flat("reference", kNeutral, 0);
    pattern.x.clear();
    pattern.y.clear();
    add(panel, along_the_knob(report, pattern, [](const FrontPoint& p) {
          return exactly(p.reference_value);
        }));
  }
  return line_panel_svg(panel);
}

std::string kl_panel(const Report& report) {
  LinePanel panel =
      knob_panel(report, "knob-kl", "KL from the reference (nats)");
  add(panel,
      along_the_knob(report, solid("", "#6a5acd"), [](const FrontPoint& p) {
        return p.kl;
      }));
  return line_panel_svg(panel);
}

std::string words_panel(const Report& report) {
  LinePanel panel = knob_panel(report, "knob-words", "Words per answer");
  for (LineSeries& series : along_the_knob(
           report, solid("policy", "#6a5acd"), [](const FrontPoint& p) {
             return exactly(p.words);
           })) {
    series.low.clear();
    series.high.clear();
    panel.series.push_back(std::move(series));
  }
  if (!report.reference.rewards.empty()) {
    panel.series.push_back(flat("reference", kNeutral, report.reference.words));
  }
  return line_panel_svg(panel);
}

// Running mean over a window that grows with the run.
std::vector<double> smoothed(const std::vector<double>& y) {
  const std::size_t half = y.size() / 40 + (y.size() >= 10 ? 1 : 0);
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

using Quantity = std::function<std::optional<double>(const TrainingRow&)>;

void add_training_curve(
    LinePanel& panel,
    const Report& report,
    const std::string& name,
    const std::string& colour,
    const Quantity& quantity) {
  LineSeries raw = solid("", colour);
  raw.dots = false;
  raw.thin = true;
  for (const TrainingRow& row : report.training) {
    const std::optional<double> y = quantity(row);
    if (!y) continue;
    raw.x.push_back(row.step);
    raw.y.push_back(*y);
  }
  if (raw.x.empty()) return;
  LineSeries smooth = raw;
  smooth.thin = false;
  smooth.name = name;
  smooth.y = smoothed(raw.y);
  panel.series.push_back(std::move(raw));
  panel.series.push_back(std::move(smooth));
}

LinePanel training_panel(std::string id, std::string y) {
  LinePanel panel;
  panel.id = std::move(id);
  panel.title = y + " while training";
  panel.description =
      "Faint: every step. Strong: a running mean over neighbouring steps.";
  panel.x_label = "training step";
  panel.y_label = std::move(y);
  return panel;
}

}  // namespace

std::vector<std::string> knob_svgs(const Report& report) {
  if (report.objectives.size() != 2) return {};
  return {
      rewards_panel(report),
      value_panel(report),
      kl_panel(report),
      words_panel(report)};
}

std::string own_weight_svg(const Report& report, std::size_t i) {
  const std::string& name = report.objectives.at(i);
  const bool single = report.objectives.size() == 1;
  LinePanel panel;
  panel.id = fmt::format("own-weight-{}", i);
  panel.title = fmt::format(
      "{} against {}", name, single ? "the KL strength" : "its own weight");
  panel.description =
      single ? "One dot for each KL strength alpha."
             : "Dots: every weighting. Line: mean of the weightings with that "
               "weight.";
  panel.x_label =
      single ? "KL strength \u03b1" : "weight on " + shorten(name, 30);
  panel.y_label = name;
  panel.x_low = 0;
  panel.x_high = 1;
  std::map<double, std::pair<double, double>> levels;  // weight -> sum, count
  for (const FrontPoint& point : report.points) {
    LineSeries dot = solid("", objective_colour(i));
    dot.x = {single ? point.alpha : point.weights.at(name)};
    dot.y = {point.rewards.at(name).mean};
    auto& [sum, count] = levels[std::round(dot.x[0] * 1e9) * 1e-9];
    sum += dot.y[0];
    count += 1;
    panel.series.push_back(std::move(dot));
  }
  LineSeries mean = solid("", objective_colour(i));
  mean.dots = false;
  for (const auto& [weight, level] : levels) {
    mean.x.push_back(weight);
    mean.y.push_back(level.first / level.second);
  }
  panel.series.push_back(std::move(mean));
  if (!report.reference.rewards.empty()) {
    panel.series.push_back(
        flat("reference", kNeutral, report.reference.rewards.at(name).mean));
  }
  return line_panel_svg(panel);
}

std::vector<std::string> training_svgs(const Report& report) {
  std::vector<std::string> result;
  const auto keep = [&](const LinePanel& panel) {
    if (!panel.series.empty()) result.push_back(line_panel_svg(panel));
  };
  LinePanel rewards = training_panel("training-rewards", "Reward");
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const std::string& name = report.objectives[i];
    add_training_curve(
        rewards, report, name, objective_colour(i), [&](const TrainingRow& r) {
          const auto found = r.rewards.find(name);
          return found == r.rewards.end() ? std::nullopt
                                          : std::optional(found->second);
        });
  }
  keep(rewards);
  const auto single = [&](const char* id, const char* y, const Quantity& q) {
    LinePanel panel = training_panel(id, y);
    add_training_curve(panel, report, "", "#6a5acd", q);
    keep(panel);
  };
  single("training-kl", "KL from the reference (nats)", [](const auto& r) {
    return r.kl;
  });
  single("training-entropy", "Entropy per token (nats)", [](const auto& r) {
    return r.entropy;
  });
  single("training-length", "Tokens per answer", [](const auto& r) {
    return r.mean_length;
  });
  return result;
}

}  // namespace moft
