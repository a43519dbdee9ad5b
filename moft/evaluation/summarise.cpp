// Means, intervals and figures of a report.
#include "moft/evaluation/summarise.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/evaluation/cross_fit.h"
#include "moft/evaluation/front_figures.h"
#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/markup.h"

namespace moft {
namespace {

void check_scores(
    const PerPrompt& scores,
    const std::string& objective,
    const std::string& place,
    std::size_t prompts) {
  const auto found = scores.rewards.find(objective);
  if (found != scores.rewards.end() && found->second.size() == prompts) return;
  throw_caller_error(
      "[report] {} has no '{}' for each of the {} prompts; score every prompt",
      place,
      objective,
      prompts);
}

void check_point(
    const Report& report,
    const FrontPoint& point,
    const std::string& place,
    std::size_t prompts) {
  double sum = 0;
  for (const std::string& name : report.objectives) {
    const auto weight = point.weights.find(name);
    if (weight == point.weights.end() || !(weight->second >= 0)) {
      throw_caller_error(
          "[report] {} has no weight of at least 0 for '{}'; give one per "
          "objective",
          place,
          name);
    }
    sum += weight->second;
    check_scores(point.per_prompt, name, place, prompts);
  }
  if (point.weights.size() != report.objectives.size() ||
      !(std::abs(sum - 1) <= 1e-6)) {
    throw_caller_error(
        "[report] the {} weights of {} sum to {}; give one per objective, "
        "summing to 1",
        point.weights.size(),
        place,
        sum);
  }
  if (point.per_prompt.kl.size() != prompts) {
    throw_caller_error(
        "[report] {} has a KL for {} of {} prompts; measure every prompt",
        place,
        point.per_prompt.kl.size(),
        prompts);
  }
}

std::size_t count_prompts(const Report& report) {
  if (report.objectives.empty() || report.points.empty()) {
    throw_caller_error(
        "[report] {} objectives and {} points; give at least one of each",
        report.objectives.size(),
        report.points.size());
  }
  const auto& scores = report.points.front().per_prompt.rewards;
  const auto found = scores.find(report.objectives.front());
  return found == scores.end() ? 0 : found->second.size();
}

void complete_rewards(
    MeasuredAnswers& answers,
    const std::vector<std::string>& objectives,
    const Bootstrap& bootstrap) {
  if (answers.per_prompt.rewards.empty()) return;
  for (const std::string& name : objectives)
    answers.rewards[name] = bootstrap.mean(answers.per_prompt.rewards.at(name));
}

// `reference` is that of the point's own policy; it may be empty.
void complete_point(
    FrontPoint& point,
    const std::vector<std::string>& objectives,
    const ReferencePolicy& reference,
    const Bootstrap& bootstrap) {
  complete_rewards(point, objectives, bootstrap);
  point.kl = bootstrap.mean(point.per_prompt.kl);
  const auto values =
      values_per_prompt(point.per_prompt, point.weights, point.alpha);
  point.value = bootstrap.mean(values);
  if (reference.per_prompt.rewards.empty()) return;
  const auto without =
      values_per_prompt(reference.per_prompt, point.weights, point.alpha);
  point.reference_value = bootstrap.mean(without).mean;
  point.value_gain = bootstrap.difference(values, without);
}

void summarise_objective(
    Report& report, const std::string& name, const Bootstrap& bootstrap) {
  Row weights, rewards;
  for (const FrontPoint& point : report.points) {
    weights.push_back(knob_value(report, point, name));
    rewards.push_back(point.rewards.at(name).mean);
  }
  Summary& summary = report.summary;
  summary.reach[name] = reach(report.points, report.objectives, name);
  summary.spearman[name] = spearman(weights, rewards);
  for (const StepBack& step : front_steps_back(
           report.points, name, bootstrap, summary.step_back_standard_errors)) {
    summary.steps_back.push_back(step);
  }
}

void summarise_values(Report& report, const Bootstrap& bootstrap) {
  Row alphas, values;
  for (const FrontPoint& point : report.points) {
    alphas.push_back(point.alpha);
    values.push_back(point.value.mean);
  }
  const Rows weightings = weighting_rows(report);
  Summary& summary = report.summary;
  const Row equal = equal_shares(values.size());
  summary.mean_utility =
      std::inner_product(values.begin(), values.end(), equal.begin(), 0.0);
  const CrossFit fit = cross_fit(report.points, report.objectives, bootstrap);
  summary.best_utility = fit.best_utility.mean;
  summary.knob_regret = fit.knob_regret.mean;
  summary.diagonal_share = fit.diagonal_share.mean;
  summary.intervals = fit;
  const bool line = report.objectives.size() == 2 &&
                    std::set<double>(alphas.begin(), alphas.end()).size() == 1;
  const Row shares = line ? trapezoid_shares(weightings) : equal;
  summary.moft_value =
      std::inner_product(values.begin(), values.end(), shares.begin(), 0.0);
  summary.moft_rule = line ? "trapezoid rule for a uniform weighting"
                           : "equal shares of the evaluated steerings";
}

void summarise_front(Report& report) {
  Rows rewards;
  const Rows unordered = reward_rows(report);
  for (const std::size_t k : knob_order(report)) {
    rewards.push_back(unordered[k]);
  }
  Row origin;
  for (const std::string& name : report.objectives) {
    origin.push_back(report.reference_point.at(name));
  }
  Summary& summary = report.summary;
  summary.hypervolume = hypervolume(rewards, origin);
  if (origin.size() <= 3) {
    summary.hull_hypervolume = hull_hypervolume(rewards, origin);
  }
  summary.evenness = evenness(rewards);
  summary.spacing = spacing(rewards);
  summary.sparsity = sparsity(rewards);
  summary.front_length = front_length(rewards);
  const Row range = extent(rewards);
  for (std::size_t i = 0; i < range.size(); ++i) {
    summary.extent[report.objectives[i]] = range[i];
  }
}

void check_reference(
    const Report& report,
    const ReferencePolicy& reference,
    const std::string& place,
    std::size_t prompts) {
  if (reference.per_prompt.rewards.empty()) return;
  for (const std::string& name : report.objectives)
    check_scores(reference.per_prompt, name, place, prompts);
}

void check_report(const Report& report, std::size_t prompts) {
  for (std::size_t k = 0; k < report.points.size(); ++k) {
    check_point(
        report, report.points[k], fmt::format("points[{}]", k), prompts);
  }
  for (const BaselinePolicy& baseline : report.baselines) {
    for (std::size_t k = 0; k < baseline.points.size(); ++k) {
      check_point(
          report,
          baseline.points[k],
          fmt::format("baseline '{}' points[{}]", baseline.name, k),
          prompts);
    }
  }
  check_reference(report, report.reference, "the reference", prompts);
  for (const BaselinePolicy& baseline : report.baselines) {
    check_reference(
        report,
        baseline.reference,
        fmt::format("the reference of baseline '{}'", baseline.name),
        prompts);
  }
}

}  // namespace

std::vector<double> values_per_prompt(
    const PerPrompt& scores,
    const ByObjective& weights,
    double alpha,
    const Scalarisation& f) {
  std::vector<const std::vector<double>*> columns;
  Row scaled;  // (1 - alpha) w
  for (const auto& [name, weight] : weights) {
    columns.push_back(&scores.rewards.at(name));
    scaled.push_back((1 - alpha) * weight);
  }
  std::vector<double> values;
  Row rewards(columns.size());
  for (std::size_t n = 0; n < columns.front()->size(); ++n) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      rewards[i] = (*columns[i])[n];
    values.push_back(f.value(rewards, scaled));
  }
  for (std::size_t n = 0; n < scores.kl.size(); ++n) {
    values.at(n) -= alpha * scores.kl[n];
  }
  return values;
}

std::size_t prompt_count(const Report& report) {
  return report.points.empty() ? 0 : report.points.front().per_prompt.kl.size();
}

double knob_value(
    const Report& report, const FrontPoint& point, const std::string& name) {
  return report.objectives.size() == 1 ? -point.alpha : point.weights.at(name);
}

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

bool several_alphas(const Report& report) {
  return report.objectives.size() > 1 &&
         std::any_of(
             report.points.begin(),
             report.points.end(),
             [&](const FrontPoint& p) {
               return p.alpha != report.points.front().alpha;
             });
}

std::vector<std::size_t> knob_order(const Report& report) {
  std::vector<std::size_t> order(report.points.size());
  std::iota(order.begin(), order.end(), 0);
  const Rows weightings = weighting_rows(report);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    const double left = report.points[a].alpha;
    const double right = report.points[b].alpha;
    return left != right ? left < right : weightings[a] < weightings[b];
  });
  return order;
}

Rows reward_rows(const Report& report) {
  Rows rows;
  for (const FrontPoint& point : report.points) {
    Row& row = rows.emplace_back();
    for (const std::string& name : report.objectives) {
      row.push_back(point.rewards.at(name).mean);
    }
  }
  return rows;
}

std::vector<double> ordered_weights(
    const Report& report, const FrontPoint& point) {
  std::vector<double> weights;
  for (const std::string& name : report.objectives)
    weights.push_back(point.weights.at(name));
  return weights;
}

Rows weighting_rows(const Report& report) {
  Rows rows;
  for (const FrontPoint& point : report.points)
    rows.push_back(ordered_weights(report, point));
  return rows;
}

void complete_report(Report& report, const BootstrapOptions& options) {
  const std::size_t prompts = count_prompts(report);
  check_report(report, prompts);
  const Bootstrap bootstrap(prompts, options);
  for (const std::string& name : report.objectives) {
    report.reference_point.try_emplace(name, 0.0);
  }
  complete_rewards(report.reference, report.objectives, bootstrap);
  for (FrontPoint& point : report.points) {
    complete_point(point, report.objectives, report.reference, bootstrap);
  }
  for (BaselinePolicy& baseline : report.baselines) {
    complete_rewards(baseline.reference, report.objectives, bootstrap);
    for (FrontPoint& point : baseline.points) {
      complete_point(point, report.objectives, baseline.reference, bootstrap);
    }
  }
  report.summary.steps_back.clear();
  for (const std::string& name : report.objectives) {
    summarise_objective(report, name, bootstrap);
  }
  summarise_values(report, bootstrap);
  summarise_front(report);
  report.summary.figures = front_figures(report.points, report.objectives);
}

}  // namespace moft
