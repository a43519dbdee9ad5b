// From values per token to values per sequence and back, in the two layouts
// that batches come in.
//
//   padded  values [B, T], lengths int64 [B]: row b owns its first lengths[b]
//           columns; what lies behind them is never read (it may be NaN).
//   packed  values [N], lengths int64 [B] with sum N: row b owns the next
//           lengths[b] entries.
//
// A mask never comes from token ids: the padding token may be the end token.
// Differentiable in `values`; float32 inputs are summed in double.
// Errors: CallerError when shapes or lengths do not fit.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

// bool [B, T], true on the first lengths[b] columns of row b.
at::Tensor length_mask(const at::Tensor& lengths, std::int64_t columns);

// [B], double: the sum over each row's own tokens.
at::Tensor sum_padded(const at::Tensor& values, const at::Tensor& lengths);
at::Tensor sum_packed(const at::Tensor& values, const at::Tensor& lengths);

// [B, T], double, no gradient: at token t the sum over the row's tokens u >= t;
// 0 behind the row's end.
at::Tensor suffix_sums(const at::Tensor& values, const at::Tensor& lengths);

// [N], double, no gradient: at token t the sum over the row's tokens u < t.
at::Tensor prefix_sums_packed(
    const at::Tensor& values, const at::Tensor& lengths);

}  // namespace moft
