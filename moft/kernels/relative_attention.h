// Self-attention of packed sequences with a number added per distance, which
// may be trained (relative positions), differentiable:
//
//   y_i = sum_j softmax_j(scale q_i . k_j + bias[table, head, j - i]) v_j
//
// A distance of -inf blocks an entry; every token must read one. No buffer
// grows with the square of a sequence: neither scores nor biases are ever laid
// out as [n, n] (attention_pieces.h).
//
// GUARANTEE (CPU): the bits of a row of y depend on its sequence and table
// alone; those of the gradients do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace moft::kernels {

// q, k, v [tokens, heads, d], one sequence after the other, none empty.
// by_distance [tables, heads, 2 n - 1] for the distances 1 - n .. n - 1, n at
// least the longest sequence; one table for all sequences or one for each.
// Returns [tokens, heads, d].
at::Tensor relative_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& by_distance,
    const std::vector<std::int64_t>& lengths,
    double scale);

}  // namespace moft::kernels
