// A value network's loss, the baseline made from its values, and how good it
// is.
//
// CLP (arXiv 2407.15762), appendix B.1: a network predicts the reward of each
// objective from the prompt, V_i(x) = E_{w, y ~ pi}[R_i(x, y)], by mean squared
// error; w.V is subtracted from the reward. As printed, the reward
// r = (1 - alpha) w.R - alpha log ratio meets a baseline without (1 - alpha);
// ValueScale::kReward gives the baseline that factor, so that it is right at
// every alpha. Both depend on x, w and alpha only, so both leave the expected
// gradient as it is.
//
// B rows, m values per row. Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/algorithms/choices.h"
#include "moft/weightings/scalarisation.h"

namespace moft {

// sum of (V - target)^2 / normaliser: [], double, differentiable in values.
// values, targets [B, m]; the mean over all B m with normaliser B m. A target
// that is NaN has no part.
at::Tensor value_loss(
    const at::Tensor& values, const at::Tensor& targets, double normaliser);

// PPO's loss of a value function (arXiv 1707.06347's reference code, TRL's
// PPOTrainer): with V' = old + clip(V - old, -range, range),
//
//   1/2 sum of max((V - G)^2, (V' - G)^2) / normaliser
//
// so that one batch moves a value by at most `range` towards its return. []
// double, differentiable in values; values, old, returns [N, k]. A return that
// is NaN has no part.
at::Tensor clipped_value_loss(
    const at::Tensor& values,
    const at::Tensor& old,
    const at::Tensor& returns,
    double range,
    double normaliser);

// The number of values whose clipped error is the larger one, so that they get
// no gradient.
double clipped_values(
    const at::Tensor& values,
    const at::Tensor& old,
    const at::Tensor& returns,
    double range);

// values, weights [B, m], alpha [B] -> [B], double, no gradient; f(V; w) in the
// place of w.V where f is given.
at::Tensor value_baseline(
    const at::Tensor& values,
    const at::Tensor& weights,
    const at::Tensor& alpha,
    ValueScale scale,
    const Scalarisation& f = LinearScalarisation());

// 1 - Var(target - V) / Var(target), each variance taken over the rows and
// summed over the m columns: 1 for perfect values, 0 for constant ones, below
// 0 for worse ones; 0 when the targets do not vary. values, targets [B, m].
double explained_variance(const at::Tensor& values, const at::Tensor& targets);

}  // namespace moft
