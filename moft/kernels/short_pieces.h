// Attention of short pieces of a tree (tree_attention.h), or of short sequences
// (relative_attention.h), by the SIMD kernel: where calls of ATen would take
// longer than the work. CPU, float32. Private to the part; no function here
// records a graph.
//
// A query's bits depend on its own q and on what it reads alone.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "moft/kernels/attention_pieces.h"

namespace moft::kernels {

// Tokens begin .. begin + length - 1.
struct Span {
  std::int64_t begin = 0;
  std::int64_t length = 0;
};

// Queries `own`, which read the whole trunk (empty: none) and then their own
// up to themselves.
struct TreePiece {
  Span trunk;
  Span own;
};

// q and y [N, heads, d]; k and v [N, kv_heads, d]; log_sum [N, heads]. Any
// strides with a contiguous last dimension; log_sum contiguous.
struct TreeTensors {
  at::Tensor q, k, v;
  double scale = 1.0;
  Attended out;
  // Where it is defined, a piece has no trunk, and each query reads all of the
  // piece's n tokens: float [heads, 2 n - 1] for the distances 1 - n .. n - 1
  // is added to the scores.
  at::Tensor by_distance = {};
};

// Whether the piece is short. Depends on shapes, strides, device and type
// alone.
bool is_short(const TreeTensors& tensors, const TreePiece& piece);

// Writes the piece's rows of tensors.out, for some key/value heads and the
// query heads that read them.
void attend_short(
    const TreeTensors& tensors, const TreePiece& piece, HeadRange kv_heads);

// Gradients of the tensors' shapes.
struct TreeGradients {
  at::Tensor q, k, v;
  at::Tensor by_distance = {};  // undefined: not wanted
};

// Writes the piece's rows of of.q and adds to the others, given of_y of y's
// shape. Not thread-safe for pieces of one tree and the same heads.
void add_short_gradients(
    const TreeTensors& tensors,
    const TreePiece& piece,
    HeadRange kv_heads,
    const at::Tensor& of_y,
    const TreeGradients& of);

}  // namespace moft::kernels
