// From values per token to values per sequence and back.
//
// Batches are packed: values [N] and lengths int64 [B] with sum N; row b owns
// the next lengths[b] entries.
//
// Differentiable in `values`; float32 inputs are summed in double.
// Errors: CallerError when shapes or lengths do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

// [B], double: the sum over each row's own tokens.
at::Tensor sum_packed(const at::Tensor& values, const at::Tensor& lengths);

// [N], double, no gradient: at token t the sum over the row's tokens u < t.
at::Tensor prefix_sums_packed(
    const at::Tensor& values, const at::Tensor& lengths);

}  // namespace moft
