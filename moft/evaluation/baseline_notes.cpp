// Remarks on other runs beside a policy (declared in notes.h).
#include "moft/evaluation/baseline_notes.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

// The baseline's point that belongs to `point`: the same weighting, at the
// nearest alpha. Null when there is none.
const FrontPoint* rival_of(
    const FrontPoint& point, const BaselinePolicy& baseline) {
  const FrontPoint* nearest = nullptr;
  double distance = std::numeric_limits<double>::infinity();
  for (const FrontPoint& rival : baseline.points) {
    const double away = std::abs(rival.alpha - point.alpha);
    if (rival.weights != point.weights || away >= distance) continue;
    nearest = &rival;
    distance = away;
  }
  return nearest;
}

std::string training_of(const PolicyFacts& facts) {
  if (!facts.steps) return "an unknown number of steps";
  std::string text = fmt::format("{} steps", *facts.steps);
  if (facts.answers) text += fmt::format(" ({} answers)", *facts.answers);
  return text;
}

bool same_base(const PolicyFacts& a, const PolicyFacts& b) {
  if (a.base_hashes.empty() || b.base_hashes.empty()) return a.base == b.base;
  return a.base_hashes == b.base_hashes;
}

// "Baseline x: another base model (b, not a); ..", or nothing.
void note_differences(
    const BaselinePolicy& baseline,
    const PolicyFacts& own,
    std::vector<std::string>& notes) {
  const PolicyFacts& other = *baseline.policy;
  std::vector<std::string> parts;
  if (!same_base(own, other)) {
    parts.push_back(
        own.base == other.base
            ? fmt::format("another base model of the same name ({})", own.base)
            : fmt::format(
                  "another base model ({}, not {})", other.base, own.base));
  }
  if (own.prompt_template != other.prompt_template) {
    parts.push_back(fmt::format(
        "another prompt template ({})", quote_text(other.prompt_template)));
  }
  if (own.temperature != other.temperature) {
    parts.push_back(fmt::format(
        "another temperature ({}, not {})",
        shortest_number(other.temperature),
        shortest_number(own.temperature)));
  }
  if (parts.empty()) return;
  notes.push_back(fmt::format(
      "{} has {}: its KL and its gain are to its own reference, which is "
      "another one.",
      baseline.name,
      join(parts, ", ")));
}

void note_training(
    const BaselinePolicy& baseline,
    const PolicyFacts& own,
    std::vector<std::string>& notes) {
  const PolicyFacts& other = *baseline.policy;
  const bool known = own.steps && other.steps;
  if (known && own.steps == other.steps && own.answers == other.answers) return;
  notes.push_back(fmt::format(
      "{} was trained for {}, this policy for {}: the fronts are not compared "
      "at equal training.",
      baseline.name,
      training_of(other),
      training_of(own)));
}

// Where the baseline ran at another alpha than this policy.
void note_strengths(
    const Report& report,
    const BaselinePolicy& baseline,
    std::vector<std::string>& notes) {
  for (const FrontPoint& point : report.points) {
    const FrontPoint* rival = rival_of(point, baseline);
    if (rival == nullptr || rival->alpha == point.alpha) continue;
    notes.push_back(fmt::format(
        "{} does not answer to alpha {}; it ran at {}, the nearest that it "
        "answers to. The values compared count the KL at {}.",
        baseline.name,
        shortest_number(point.alpha),
        shortest_number(rival->alpha),
        shortest_number(point.alpha)));
    return;
  }
}

void note_dominance(
    const Report& report,
    const BaselinePolicy& baseline,
    const Bootstrap& bootstrap,
    std::vector<std::string>& notes) {
  std::vector<std::vector<double>> own, other;
  for (const FrontPoint& point : report.points) {
    const FrontPoint* rival = rival_of(point, baseline);
    if (rival == nullptr) continue;
    own.push_back(
        values_per_prompt(point.per_prompt, point.weights, point.alpha));
    other.push_back(
        values_per_prompt(rival->per_prompt, point.weights, point.alpha));
  }
  if (own.empty()) {
    notes.push_back(fmt::format(
        "{} has no weighting in common with this front and is not compared.",
        baseline.name));
    return;
  }
  const DominanceTest test = dominance_test(own, other, bootstrap);
  notes.push_back(fmt::format(
      "Against {}: higher value at {} of {} weightings, no difference shown "
      "at {}, lower at {} (paired bootstrap over prompts, 5% each side){}.",
      baseline.name,
      test.won,
      own.size(),
      test.tied,
      test.lost,
      test.dominates ? "; it is dominated" : ""));
}

}  // namespace

std::vector<std::string> baseline_notes(const Report& report) {
  std::vector<std::string> notes;
  if (report.baselines.empty() || report.points.empty()) return notes;
  const Bootstrap bootstrap(
      report.points.front().per_prompt.kl.size(), {.resamples = 4000});
  for (const BaselinePolicy& baseline : report.baselines) {
    note_dominance(report, baseline, bootstrap, notes);
    note_strengths(report, baseline, notes);
    if (!report.policy || !baseline.policy) continue;
    note_differences(baseline, *report.policy, notes);
    note_training(baseline, *report.policy, notes);
  }
  return notes;
}

}  // namespace moft
