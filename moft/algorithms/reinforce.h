// The REINFORCE loss: CLP (arXiv 2407.15762), algorithm 1 line 7.
//
//   loss = -(1 / normaliser) sum_b A_b log pi(y_b | x_b),
//
// log pi of a sequence being the SUM over its tokens, the end token included
// (of a truncated answer: the tokens that were emitted). No division by
// length: equation 1 of the paper is over whole outputs.
//
// The normaliser is the number of sequences in the whole step, given by the
// caller: with gradient accumulation every part divides by the same number,
// so the summed gradients are those of the whole batch.
//
// The gradient flows through log pi alone. Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

// log_probs and advantages of one shape -> [], double: [B] of sequences (see
// token_sums.h), or [N] of tokens with an advantage each (reward to go).
// CallerError when shapes do not fit or the normaliser is not positive.
at::Tensor reinforce_loss(
    const at::Tensor& log_probs,
    const at::Tensor& advantages,
    double normaliser);

}  // namespace moft
