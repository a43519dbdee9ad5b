// Attention over padded batches, differentiable, with an additive mask that may
// be trained (relative positions):
//
//   y = softmax(scale q k^T + mask) v
//
// q [sequences, heads, n, d], k and v [sequences, heads, l, d],
// mask [sequences or 1, heads or 1, n, l], float; -inf blocks an entry. Every
// query must have an entry that is not blocked. Returns [sequences, heads, n,
// d], laid out so that transpose(1, 2) is contiguous where ATen does so.
//
// Forward and the gradients of q, k, v are ATen's fused attention. That has no
// gradient for the mask: where one is asked for, backward computes the scores
// again: on a CPU a sequence at a time, so that they stay in a near cache,
// elsewhere all at once.
//
// Bits depend on the padding and may depend on the batch; use attention.h where
// a row must not see its neighbours.
#pragma once

#include <ATen/ATen.h>

namespace moft::kernels {

at::Tensor masked_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    double scale);

}  // namespace moft::kernels
