// Figures of a front: pure functions in double, one equation each.
//
// A front is K points in m objectives, all maximised: Rows[k][i]. Where an
// order matters, the caller gives the rows in the order of the knob. None of
// these reads a file, a random number or a global.
//
// Errors: CallerError when sizes disagree or a number is not finite.
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <vector>

#include "moft/weightings/scalarisation.h"

namespace moft {

using Row = std::vector<double>;  // [m]
using Rows = std::vector<Row>;    // [K][m]

// CallerError that opens with "[place]" unless every row has `width` finite
// numbers.
void check_rows(const char* place, const Rows& rows, std::size_t width);

// ---- Order -----------------------------------------------------------------

// True when a is at least b everywhere and above b somewhere.
bool dominates(const Row& a, const Row& b);

// Indices of the non-dominated points, rising; of equal points the first.
std::vector<std::size_t> pareto_front(const Rows& points);

// ---- Value and knob --------------------------------------------------------

// Scores of point j by the weighting of row i: M[i][j] = f(R_j; w_i), with
// f(R; w) = w . R unless another one is given.
Rows cross_scores(
    const Rows& points,
    const Rows& weightings,
    const Scalarisation& f = LinearScalarisation());

// The same for the value: M[i][j] = (1 - alpha_i) f(R_j; w_i) - alpha_i KL_j.
Rows cross_values(
    const Rows& points,
    const Row& kl,
    const Rows& weightings,
    const Row& alphas,
    const Scalarisation& f = LinearScalarisation());

// Mean of the diagonal: each weighting with its own point. On values this is
// the paper's V_moft (eq. 2) for equal shares of the weightings.
double mean_utility(const Rows& scores);

// Mean of the row maxima: each weighting with the best point of the set
// (expected utility, Zintgraf et al., 2015). Ignores the knob.
double best_utility(const Rows& scores);

// best_utility - mean_utility: 0 when the knob points at the right policy.
double knob_regret(const Rows& scores);

// Share of rows whose maximum is on the diagonal (within 1e-12).
double diagonal_share(const Rows& scores);

// K times 1/K.
Row equal_shares(std::size_t count);

// Shares of the trapezoid rule for a uniform weighting of two objectives: the
// weight of the first objective runs over [0, 1], values between neighbours
// are joined by straight lines and stay constant beyond the outermost ones.
// Any order; equal weights share. REQUIRES m == 2 and at least one row.
Row trapezoid_shares(const Rows& weightings);

// ---- Spread ----------------------------------------------------------------

// max_k - min_k of every objective, [m].
Row extent(const Rows& points);

// Spearman rank correlation with mean ranks for ties; 0 when either side is
// constant or has fewer than two entries.
double spearman(const Row& x, const Row& y);

// Distances between consecutive rows, [K - 1].
Row gaps(const Rows& points);

// Sum of the gaps.
double front_length(const Rows& points);

// Entropy of the gaps' shares divided by log(K - 1): 1 when evenly spaced, 0
// when collapsed, when all movement is one jump, or below three points.
double evenness(const Rows& points);

// Schott (1995): standard deviation (n - 1) of the L1 distance to the nearest
// other point. 0 also for a collapsed front: never read it alone.
double spacing(const Rows& points);

// Xu et al. (2020): mean squared gap of the sorted coordinates over the
// non-dominated points. 0 also for a collapsed front: never read it alone.
double sparsity(const Rows& points);

struct MonotonicityViolations {
  double share = 0;  // of neighbouring pairs that fall
  double total = 0;  // sum of the falls
};

// Falls of `values` by more than `tolerance` along rising `keys`.
MonotonicityViolations monotonicity_violations(
    const Row& values, const Row& keys, double tolerance = 1e-9);

// ---- Against another front -------------------------------------------------

// Additive epsilon (Zitzler et al., 2003): the smallest shift of `points` that
// makes them weakly dominate `target`.
double additive_epsilon(const Rows& points, const Rows& target);

// IGD+ (Ishibuchi et al., 2015): mean distance from a target point to the
// nearest point, counting shortfalls only.
double igd_plus(const Rows& points, const Rows& target);

}  // namespace moft
