// Causal attention for inference: no autograd, float32 arithmetic.
//
// One query row (token, head) attends to the first L entries of its sequence:
//   s_j = scale q.k_j,  p = softmax(s),  o = sum_j p_j v_j
// GUARANTEE (CPU float32): a query row's bits depend on its own q, on the L
// keys and values it reads, and on nothing else: not on neighbours, threads,
// buffer sizes, nor on whether prefill or decode computes it. Other devices
// compute the whole batch at once (batched.h).
//
// Grouped queries: query head h reads key/value head h / (heads / kv_heads).
// Views are welcome: only the last dimension must be contiguous.
#pragma once

#include <optional>

#include <ATen/ATen.h>

namespace moft::kernels {

// What is added to the scores before the softmax (relative positions):
//   s_j = scale q.k_j + values[tables[row], head, j]
struct ScoreBias {
  at::Tensor values;  // float32 [tables, heads, >= longest row], on q's device
  at::Tensor tables;  // int64 [rows]; undefined: every row reads table 0
};

// q       [rows, heads, d]
// keys    [slots, kv_heads, max_len, d], values the same: static buffers
// slots   int64 [rows]: which sequence buffer a row reads
// lengths int64 [rows]: valid entries, the current token included, >= 1
// Returns [rows, heads, d], contiguous.
// CallerError on shapes that do not fit, a slot or length out of range.
at::Tensor decode_attention(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt);

// Entries that stand before the new tokens of each sequence, in the buffers of
// decode_attention. Two sequences may name the same slot (a shared prompt).
struct Prefix {
  at::Tensor keys;     // [slots, kv_heads, max_len, d]
  at::Tensor values;   // [slots, kv_heads, max_len, d]
  at::Tensor slots;    // int64 [sequences]
  at::Tensor lengths;  // int64 [sequences], 0 = no prefix
};

// Packed ragged sequences: sequence s owns tokens offsets[s] .. offsets[s+1].
// q [N, heads, d], k and v [N, kv_heads, d], offsets int64 [sequences + 1]
// (CPU, rising, from 0 to N; empty sequences allowed). Token t of a sequence
// reads the prefix and its tokens up to and including t. Returns [N, heads, d].
at::Tensor prefill_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& offsets,
    double scale,
    const std::optional<Prefix>& prefix = std::nullopt);

// Copies new keys and values into the static buffers:
// buffer[slots[i], :, positions[i], :] = tokens[i]; tokens [N, kv_heads, d].
void store_tokens(
    at::Tensor& buffer,
    const at::Tensor& tokens,
    const at::Tensor& slots,
    const at::Tensor& positions);

}  // namespace moft::kernels
