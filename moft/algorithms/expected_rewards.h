// Training f(E[R]; w), the scalarised EXPECTED rewards (SER), by policy
// gradient.
//
// D. Roijers et al., "A survey of multi-objective sequential decision-making",
// JAIR 2013, section 3; C. Hayes et al., "A practical guide to multi-objective
// reinforcement learning and planning", 2022. The gradient of f(E[R]) is that
// of g.E[R] with g = df/dR at E[R] held fixed. E[R] is estimated by the other
// completions of the row's group (one prompt under one steering), so that g
// and the baseline do not depend on the row's own completion:
//
//   M_k = mean of R_j over the rows j != k of k's group
//   value_k    = f(M_k; w) + g_k . (R_k - M_k),   g_k = df/dR(M_k; w)
//   baseline_k = f(M_k; w)
//
// The expected gradient of (value - baseline) log pi is E[g_k] . grad E[R]:
// exact where df/dR is affine in R (f linear or quadratic), else off by the
// curvature of df/dR times the variance of M_k, O(1 / (G - 1)) for groups of G.
// A mean that holds the row itself would be off for quadratic f too.
//
// Results are double and carry no gradient.
// Errors: CallerError when shapes do not fit, or for a group of one row.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/weightings/scalarisation.h"

namespace moft {

struct LinearisedRewards {
  at::Tensor value;     // [B]
  at::Tensor baseline;  // [B]; equals value where the group's rewards tie
};

// rewards [B, m], weights [m] or [B, m], groups int64 [B].
LinearisedRewards linearised_rewards(
    const at::Tensor& rewards,
    const at::Tensor& weights,
    const at::Tensor& groups,
    const Scalarisation& f);

// [B]: 0 at the rows of a group that are equal in every column of `columns`
// [B, k] (within advantages.h's tolerance), different numbers at the rows of a
// group that are not. What AdvantageTerms::compared takes.
at::Tensor tie_labels(const at::Tensor& columns, const at::Tensor& groups);

}  // namespace moft
