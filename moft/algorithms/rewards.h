// From a reward vector to the one number that REINFORCE maximises.
//
// CLP (arXiv 2407.15762), equation 1 and algorithm 1 line 6:
//   r = (1 - alpha) w.R(x, y) - alpha (log pi(y|x) - log ref(y|x)),
// the log ratio summed over the whole sequence, the end token included, and
// without gradient. (The paper writes the full KL there, which does not depend
// on y and so has no effect on the expected gradient; the log ratio of the
// sample gives the exact gradient of equation 1.)
//
// w and alpha may be common to the batch or differ by row. Results are double
// and carry no gradient.
// Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/weightings/scalarisation.h"

namespace moft {

// CallerError unless rewards are [B, m] and weights [m] or [B, m].
void check_weights(const at::Tensor& rewards, const at::Tensor& weights);

// f(R; w) of every row, w.R unless another f is given:
// rewards [B, m], weights [m] or [B, m] -> [B].
at::Tensor scalarise(
    const at::Tensor& rewards,
    const at::Tensor& weights,
    const Scalarisation& f = LinearScalarisation());

// scalarised [B], sequence_log_ratio [B], alpha [] or [B] -> [B].
at::Tensor regularised_reward(
    const at::Tensor& scalarised,
    const at::Tensor& sequence_log_ratio,
    const at::Tensor& alpha);

}  // namespace moft
