// Causal attention over keys and values in pages: no autograd, float32.
//
// One query row (token, head) attends to the first L entries of its sequence:
//   s_j = scale q.k_j,  p = softmax(s),  o = sum_j p_j v_j
// A decoding step has one query per sequence; a prompt, or a chunk of one, has
// many, whose own keys and values are stored first.
//
// GUARANTEE (CPU float32): a query row's bits depend on its own q and on the L
// keys and values it reads, and on nothing else: not on neighbours, threads,
// pages, nor on whether its prompt is read whole, in chunks or token by token.
// Other devices compute the whole batch at once (attention_aten.h).
//
// Grouped queries: query head h reads key/value head h / (heads / kv_heads).
#pragma once

#include <optional>

#include <ATen/ATen.h>

#include "moft/kernels/paged.h"

namespace moft::kernels {

// q [N, heads, d]; only the last dimension must be contiguous. Returns
// [N, heads, d], contiguous.
// CallerError on shapes that do not fit and on a slot, length or page out of
// range (not checked on other devices than the CPU).
at::Tensor paged_attention(
    const at::Tensor& q,
    const KeyValuePages& pages,
    const PagedQueries& queries,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt);

// Stores new entries: token i, k and v [N, kv_heads, d], becomes entry
// positions[i] of slot slots[i]; both int64 [N], on the pages' device.
// REQUIRES both in range.
void store_entries(
    const KeyValuePages& pages,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& slots,
    const at::Tensor& positions);

}  // namespace moft::kernels
