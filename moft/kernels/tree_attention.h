// Causal attention over trees of tokens, differentiable: what scoring several
// completions of a prompt needs.
//
// A tree is a trunk (the prompt) with branches (its completions), packed one
// after the other. A token of the trunk reads the trunk up to itself; a token
// of a branch reads the whole trunk and its own branch up to itself:
//
//   y = softmax(scale q k^T) v  over the tokens read
//
// Memory grows with the number of tokens, never with its square: a branch's
// attention to the trunk and to itself are two pieces, merged by their sums
// (attention_pieces.h).
//
// GUARANTEE (CPU): the bits of a row of y depend on its trunk and its branch
// alone, not on other branches or trees, nor on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace moft::kernels {

// Numbers of tokens.
struct TokenTree {
  std::int64_t trunk = 0;              // at least 1
  std::vector<std::int64_t> branches;  // a branch may have none
};

// q [N, heads, d], k and v [N, kv_heads, d], the trees' tokens in order; query
// head h reads key/value head h / (heads / kv_heads). Returns [N, heads, d].
// CallerError if the trees do not have N tokens in all, or one has no trunk.
at::Tensor tree_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const std::vector<TokenTree>& trees,
    double scale);

}  // namespace moft::kernels
