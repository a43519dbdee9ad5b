// What comparisons rest on: figures of a front in the values V, KL included,
// and of how its points answer the knob.
//
// Errors: CallerError when sizes disagree or a number is not finite.
// Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/front.h"
#include "moft/evaluation/metrics.h"

namespace moft {

// Kendall's tau-b (1945): concordant minus discordant pairs over the geometric
// mean of the pairs that are not tied in x and in y. 0 when either side is
// constant or has fewer than two entries.
double kendall_tau(const Row& x, const Row& y);

// A change of the whole path below this counts as none.
inline constexpr double kLeastChange = 0.05;

// U of an ordered path of settings: its largest step between neighbours over
// the distance from its first point to its last. 1 / (number of steps) on a
// straight, even path; 1 for one jump. Also 1, "does not answer", where that
// distance is below kLeastChange or a step exceeds it.
double largest_step(const Rows& path);

// V_i = (1 - alpha) R_i - alpha KL of every point, [points][objectives]: with
// weights w that sum to 1, V = w . (V_1, .., V_m) (arXiv 2407.15762, eq. 1).
Rows value_rows(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives);

// Whether all weight is on one objective.
bool is_vertex(const FrontPoint& point);

// Signed reach of one objective: its mean reward over the points at the
// highest setting of its knob minus that over those at the lowest. The knob is
// the weight; of a single objective, falling alpha.
double reach(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives,
    const std::string& objective);

// REQUIRES rewards and kl of every point (complete_report), at least one.
// The hypervolume's reference point is the origin: absolute, equal for every
// method, seed and task. A point that is not above it adds nothing.
FrontFigures front_figures(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives);

}  // namespace moft
