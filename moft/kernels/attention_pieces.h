// Attention of queries to one set of keys, with what it takes to merge it with
// attention to another set and to differentiate the merged result:
//
//   s_ij = scale q_i . k_j + rule(i, j)
//   y_i  = sum_j exp(s_ij - log_sum_i) v_j,  log_sum_i = log sum_j exp s_ij
//
// The gradients of a merged result are the sums over the pieces of their
// gradients under the MERGED y and log_sum (FlashAttention-2, Dao,
// arXiv 2307.08691, section 3.1).
//
// Shapes: q, y [batch, heads, n, d]; k, v [batch, heads, l, d];
// log_sum [batch, heads, n]. Any strides with a contiguous last dimension.
//
// Scores are computed in blocks of queries, so that no buffer grows with n l.
// On a CPU forward and backward are ATen's flash attention, except where
// `by_sum` is trained. A result depends on nothing but the arguments: not
// on the number of threads (CPU).
//
// No function here records a graph.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

namespace moft::kernels {

struct ScoreRule {
  double scale = 1.0;
  bool causal = false;       // query i reads keys 0 .. i; needs n = l
  at::Tensor key_mask = {};  // additive [batch, 1, 1, l]; undefined: none
  // Additive, entry i + j for query i and key j: [batch or 1, heads, n + l -
  // 1], rows contiguous; undefined: none. Queries in reversed order make it a
  // bias by distance.
  at::Tensor by_sum = {};
};

struct Attended {
  at::Tensor y;
  at::Tensor log_sum;
};

Attended attend(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule);

// Attention of the same queries over the keys of both.
Attended merge(const Attended& a, const Attended& b);

struct AttentionGradients {
  at::Tensor q, k, v;
  at::Tensor by_sum;  // of the rule's shape; undefined unless asked for
};

// `attended` and `of_y`: of the merged result.
AttentionGradients attend_backward(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule,
    const Attended& attended,
    const at::Tensor& of_y,
    bool of_sums = false);

// Heads begin .. begin + count - 1, or groups of heads.
struct HeadRange {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

// Calls body(piece, heads) for every piece on several threads, without
// gradient: with all heads at once, or with one after the other where there are
// too few pieces. What body() computes runs on its one thread, and has the same
// bits on every thread.
void for_each_piece(
    std::int64_t pieces,
    std::int64_t heads,
    const std::function<void(std::int64_t, HeadRange)>& body);

}  // namespace moft::kernels
