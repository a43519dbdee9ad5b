// From per-prompt scores to means, intervals and the summary of a front.
//
// Thread safety: works on its argument only.
#pragma once

#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/front.h"
#include "moft/evaluation/metrics.h"
#include "moft/weightings/scalarisation.h"

namespace moft {

// Fills everything that follows from the per-prompt scores: the intervals of
// rewards, KL, value and value gain of every point and baseline point, the
// reference value, the references' intervals, and the summary. A baseline's
// points are measured against the baseline's own reference; without one their
// reference value and value gain stay 0.
//
// REQUIRES objectives, points (weights, alpha, per_prompt), and, if there is a
// reference, reference.per_prompt.rewards. An empty reference_point becomes 0
// for every objective. Throws CallerError naming the point when a weighting is
// off the simplex, an objective is missing, or the prompts disagree.
//
// The summary's rules: extent, reach, Spearman, hypervolumes, evenness,
// spacing, sparsity and length are of the mean rewards; moft_value, utilities
// and regret of the values (KL included), each weighting at its own alpha; best
// utility, regret and diagonal share are cross-fitted (cross_fit.h).
void complete_report(Report& report, const BootstrapOptions& options = {});

// Value of every prompt: (1 - alpha) f(R; w) - alpha KL (eq. 1), [prompts]. An
// empty `kl` counts as 0. REQUIRES at least one weight.
std::vector<double> values_per_prompt(
    const PerPrompt& scores,
    const ByObjective& weights,
    double alpha,
    const Scalarisation& f = LinearScalarisation());

// How many prompts were answered; 0 without points.
std::size_t prompt_count(const Report& report);

// Mean rewards [points][objectives] and weightings in the objectives' order.
Rows reward_rows(const Report& report);
Rows weighting_rows(const Report& report);

// A point's weights in the objectives' order.
std::vector<double> ordered_weights(
    const Report& report, const FrontPoint& point);

// What turns an objective up: its weight; with a single objective, whose weight
// is always 1, minus alpha.
double knob_value(
    const Report& report, const FrontPoint& point, const std::string& name);

// The weights as they label points: "0.2 / 0.3 / 0.5". Of a single objective,
// whose weight is always 1, alpha.
std::string weighting_label(
    const FrontPoint& point, const std::vector<std::string>& objectives);

// Whether the points differ in alpha beside what weighting_label says.
bool several_alphas(const Report& report);

// Indices of the points as the knob turns: by alpha, then by rising weight of
// the first objective, then of the next.
std::vector<std::size_t> knob_order(const Report& report);

}  // namespace moft
