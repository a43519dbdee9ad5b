// How a loss over tokens becomes one over rows: the loss types of the GRPO
// family, as TRL names them.
//
//   grpo     (1 / B) sum_b (1 / |y_b|) sum_t l_bt       arXiv 2402.03300, eq. 3
//   bnpo     (1 / sum_b |y_b|) sum_b sum_t l_bt         of the minibatch
//   dapo     the same over the tokens of the whole batch, so that minibatches
//            weigh every token alike                    arXiv 2503.14476, eq. 8
//   dr_grpo  (1 / (B L)) sum_b sum_t l_bt, L the longest completion that may
//            be sampled                                 arXiv 2503.20783
//
// With grpo a token of a long row counts less: its gradient is that of the
// reward divided by the row's length. bnpo and dapo divide by a number that
// depends on the samples, which makes their gradient that of the objective up
// to a factor and terms of order 1 / B. dr_grpo's is REINFORCE's divided by L.
//
// A row that is masked has weight 0. It counts in B, as in TRL, but its tokens
// do not count.
//
// N packed tokens, B rows. Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/choices.h"

namespace moft {

// [N], double: 1 / |y_b| of grpo, else 1; 0 in rows that are masked.
// lengths int64 [B], masked bool [B].
at::Tensor token_weights(
    LossType type, const at::Tensor& lengths, const at::Tensor& masked);

// What the weighted sum over a minibatch is divided by.
struct LossShape {
  double rows = 0.0;         // of the minibatch
  double tokens = 0.0;       // of the minibatch, without masked rows
  double all_tokens = 0.0;   // of the whole batch, without masked rows
  double minibatches = 1.0;  // of the whole batch
  double longest = 1.0;      // L
};
// At least 1.
double loss_normaliser(LossType type, const LossShape& shape);

}  // namespace moft
