// Remarks that a report makes by rule.
#include "moft/evaluation/notes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/comparison.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

std::string percent(double share) {
  return fmt::format("{:.0f}%", 100 * share);
}

// "relevance 0.25" for two objectives, all weights for more, "alpha 0.1" for
// one.
std::string place(const Report& report, const FrontPoint& point) {
  if (report.objectives.size() == 1)
    return "alpha " + plain_number(point.alpha, 4);
  std::vector<std::string> parts;
  for (const std::string& name : report.objectives) {
    parts.push_back(name + " " + plain_number(point.weights.at(name)));
    if (report.objectives.size() == 2) break;
  }
  std::string out = join(parts, " / ");
  if (several_alphas(report)) out += ", alpha " + plain_number(point.alpha, 4);
  return out;
}

// What one position of the knob is called.
const char* setting_name(const Report& report) {
  if (report.objectives.size() == 1) return "alpha";
  return several_alphas(report) ? "setting" : "weighting";
}

// The places themselves when few, otherwise how many of them.
std::string join_places(
    const Report& report, const std::vector<std::string>& places) {
  if (places.size() <= 4) return listed(places);
  if (places.size() == report.points.size())
    return fmt::format("every {}", setting_name(report));
  return fmt::format(
      "{} of the {} {}s",
      places.size(),
      report.points.size(),
      setting_name(report));
}

using Scores = std::function<const std::vector<double>&(const FrontPoint&)>;

// Mean per prompt over the points that `qualifies` accepts.
std::vector<double> mean_scores(
    const Report& report,
    const Scores& scores,
    const std::function<bool(const FrontPoint&)>& qualifies) {
  std::vector<double> sum(prompt_count(report), 0.0);
  double count = 0;
  for (const FrontPoint& point : report.points) {
    if (!qualifies(point)) continue;
    for (std::size_t n = 0; n < sum.size(); ++n)
      sum[n] += scores(point).at(n);
    count += 1;
  }
  for (double& x : sum)
    x /= count;
  return sum;
}

// The rewards at one end of the knob.
std::vector<double> scores_at(
    const Report& report, const std::string& name, double knob) {
  return mean_scores(
      report,
      [&](const FrontPoint& point) -> const std::vector<double>& {
        return point.per_prompt.rewards.at(name);
      },
      [&](const FrontPoint& point) {
        return std::abs(knob_value(report, point, name) - knob) <= 1e-9;
      });
}

void note_steering(
    const Report& report,
    const NoteOptions& options,
    std::vector<std::string>& notes) {
  const std::vector<std::string> still =
      objectives_not_moved(report, options.standard_errors);
  if (still.empty()) return;
  if (report.objectives.size() == 1) {
    notes.push_back(fmt::format(
        "Warning: this policy does not steer. {} does not rise by more than "
        "noise when alpha falls from its highest to its lowest setting.",
        still.front()));
    return;
  }
  if (still.size() == report.objectives.size()) {
    notes.push_back(
        "Warning: this policy does not steer. No objective rises with its own "
        "weight by more than noise; do not publish it as a steerable policy.");
    return;
  }
  notes.push_back(fmt::format(
      "Warning: turning the knob does not raise {} by more than noise.",
      listed(still)));
}

// The KL must fall when alpha rises.
void note_alpha(
    const Report& report,
    const NoteOptions& options,
    std::vector<std::string>& notes) {
  const auto [low, high] = std::minmax_element(
      report.points.begin(),
      report.points.end(),
      [](const FrontPoint& a, const FrontPoint& b) {
        return a.alpha < b.alpha;
      });
  if (low->alpha == high->alpha) return;
  const auto kl_at = [&](double alpha) {
    return mean_scores(
        report,
        [](const FrontPoint& point) -> const std::vector<double>& {
          return point.per_prompt.kl;
        },
        [&](const FrontPoint& point) { return point.alpha == alpha; });
  };
  const Bootstrap bootstrap(prompt_count(report), {.resamples = 1000});
  const auto loose = kl_at(low->alpha);
  const auto tight = kl_at(high->alpha);
  const double fall = bootstrap.difference(loose, tight).mean;
  const double error = bootstrap.paired_standard_error(loose, tight);
  if (fall > options.standard_errors * error + 1e-12) return;
  notes.push_back(fmt::format(
      "Warning: this policy does not answer to alpha. Its KL from the "
      "reference does not fall by more than noise when alpha rises from {} to "
      "{}.",
      plain_number(low->alpha, 4),
      plain_number(high->alpha, 4)));
}

void note_steps_back(const Report& report, std::vector<std::string>& notes) {
  const Summary& summary = report.summary;
  for (const StepBack& step : summary.steps_back) {
    notes.push_back(fmt::format(
        "The front steps back: {} falls by {:.3f} (standard error {:.3f}) when "
        "its weight rises from {} to {}.",
        step.objective,
        -step.difference,
        step.standard_error,
        plain_number(step.from_weight),
        plain_number(step.to_weight)));
  }
  if (!summary.steps_back.empty()) return;
  notes.push_back(fmt::format(
      "No objective falls between neighbouring weights by more than {} paired "
      "standard errors.",
      plain_number(summary.step_back_standard_errors)));
}

void note_value(const Report& report, std::vector<std::string>& notes) {
  if (report.reference.per_prompt.rewards.empty()) return;
  std::vector<std::string> below, unclear;
  for (const FrontPoint& point : report.points) {
    if (point.value_gain.high < 0) {
      below.push_back(place(report, point));
    } else if (point.value_gain.low <= 0) {
      unclear.push_back(place(report, point));
    }
  }
  if (!below.empty()) {
    notes.push_back(fmt::format(
        "Warning: the reference has the higher value (KL included) at {}.",
        join_places(report, below)));
  }
  if (!unclear.empty()) {
    notes.push_back(fmt::format(
        "Policy and reference cannot be told apart in value at {}.",
        join_places(report, unclear)));
  }
  if (below.empty() && unclear.empty()) {
    notes.push_back(fmt::format(
        "The policy's value, KL included, is above the reference's at every "
        "{}.",
        setting_name(report)));
  }
}

void note_regret(
    const Report& report,
    const NoteOptions& options,
    std::vector<std::string>& notes) {
  const Summary& summary = report.summary;
  if (summary.diagonal_share >= options.diagonal) return;
  if (summary.knob_regret <= options.regret) return;
  if (!summary.intervals || summary.intervals->knob_regret.low <= 0) return;
  notes.push_back(fmt::format(
      "Only {} of the weightings are served best by their own setting of the "
      "knob; for the others another setting has the higher value (knob "
      "regret {:.3f} [{:.3f}, {:.3f}]).",
      percent(summary.diagonal_share),
      summary.knob_regret,
      summary.intervals->knob_regret.low,
      summary.intervals->knob_regret.high));
}

// "At a, b and c, 37% to 52% of ..": one remark for all points that qualify.
void note_share(
    const Report& report,
    const std::function<std::optional<double>(const FrontPoint&)>& share,
    const std::function<bool(double)>& qualifies,
    const std::string& of_what,
    std::vector<std::string>& notes) {
  std::vector<std::string> places;
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const FrontPoint& point : report.points) {
    const std::optional<double> x = share(point);
    if (!x || !qualifies(*x)) continue;
    places.push_back(place(report, point));
    low = std::min(low, *x);
    high = std::max(high, *x);
  }
  if (places.empty()) return;
  const std::string range = percent(low) == percent(high)
                                ? percent(low)
                                : percent(low) + " to " + percent(high);
  notes.push_back(fmt::format(
      "At {}, {} {}.", join_places(report, places), range, of_what));
}

void note_texts(
    const Report& report,
    const NoteOptions& options,
    std::vector<std::string>& notes) {
  note_share(
      report,
      [](const FrontPoint& p) { return p.copied; },
      [&](double x) { return x >= options.copied; },
      "of the answers copy their source almost word for word (at least 60% of "
      "their five-word runs occur in it)",
      notes);
  note_share(
      report,
      [](const FrontPoint& p) { return p.echoed; },
      [](double x) { return x > 0; },
      "of the answers repeat the instruction (four words in a row that occur "
      "in the prompt, but not in its source)",
      notes);
  note_share(
      report,
      [](const FrontPoint& p) { return std::optional(p.distinct); },
      [&](double x) { return x < options.distinct; },
      "of the prompts get an answer that no other prompt gets; the others "
      "share theirs",
      notes);
  note_share(
      report,
      [](const FrontPoint& p) { return std::optional(p.finished); },
      [&](double x) { return x < options.finished; },
      "of the answers finish; the others are cut at the length limit",
      notes);
}

// ---- Other runs beside the policy -------------------------------------------

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
    const FrontPoint* rival = rival_of(point, baseline.points);
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
    const FrontPoint* rival = rival_of(point, baseline.points);
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

// What differs between a baseline and this policy (base model, template,
// temperature, alpha, training), and the paper's dominance, tested weighting by
// weighting on the same prompts. Both sides' values count the KL at this
// policy's alpha, each to its own reference.
void note_baselines(const Report& report, std::vector<std::string>& notes) {
  if (report.baselines.empty()) return;
  const Bootstrap bootstrap(prompt_count(report), {.resamples = 4000});
  for (const BaselinePolicy& baseline : report.baselines) {
    note_dominance(report, baseline, bootstrap, notes);
    note_strengths(report, baseline, notes);
    if (!report.policy || !baseline.policy) continue;
    note_differences(baseline, *report.policy, notes);
    note_training(baseline, *report.policy, notes);
  }
}

}  // namespace

std::vector<std::string> objectives_not_moved(
    const Report& report, double standard_errors) {
  const std::size_t prompts = prompt_count(report);
  if (prompts == 0) return {};
  const Bootstrap bootstrap(prompts, {.resamples = 1000});
  std::vector<std::string> still;
  for (const std::string& name : report.objectives) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const FrontPoint& point : report.points) {
      low = std::min(low, knob_value(report, point, name));
      high = std::max(high, knob_value(report, point, name));
    }
    const auto last = scores_at(report, name, high);
    const auto first = scores_at(report, name, low);
    const double reach = bootstrap.difference(last, first).mean;
    const double error = bootstrap.paired_standard_error(last, first);
    if (!(reach > standard_errors * error + 1e-12)) still.push_back(name);
  }
  return still;
}

std::vector<std::string> automatic_notes(
    const Report& report, const NoteOptions& options) {
  std::vector<std::string> notes;
  if (prompt_count(report) == 0) return notes;
  if (report.points.size() > 1) {
    note_steering(report, options, notes);
    note_alpha(report, options, notes);
    if (report.objectives.size() > 1) note_steps_back(report, notes);
  }
  note_value(report, notes);
  note_baselines(report, notes);
  note_regret(report, options, notes);
  note_texts(report, options, notes);
  const std::size_t prompts = prompt_count(report);
  if (prompts < options.prompts) {
    notes.push_back(fmt::format(
        "The intervals rest on {} prompts only; take them as rough.", prompts));
  }
  if (report.data && report.data->split == "evaluation") {
    notes.push_back(
        "These prompts are for choosing: settings that were picked by them "
        "look better here than on new prompts. Publish the figures of "
        "data.final (--split final).");
  }
  return notes;
}

}  // namespace moft
