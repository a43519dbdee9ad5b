// Static buffers cut into pages, and attention over them.
#pragma once

#include <optional>
#include <vector>

#include "moft/kernels/attention.h"

#include "tests/kernels/support.h"

namespace moft::kernels {

inline at::Tensor indices(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kLong);
}

// [slots, kv_heads, entries, d] as pages in an order of their own: a slot's
// pages lie apart and run backwards.
inline KeyValuePages in_pages(
    const at::Tensor& keys,
    const at::Tensor& values,
    std::int64_t page_size = 16) {
  const std::int64_t slots = keys.size(0), entries = keys.size(2);
  const std::int64_t count = (entries + page_size - 1) / page_size;
  const auto cut = [&](const at::Tensor& buffer) {
    const at::Tensor padded =
        at::constant_pad_nd(buffer, {0, 0, 0, count * page_size - entries});
    return padded.view({slots, buffer.size(1), count, page_size, -1})
        .permute({2, 0, 1, 3, 4})
        .reshape({count * slots, buffer.size(1), page_size, buffer.size(3)})
        .flip(0)
        .transpose(1, 2);
  };
  const at::Tensor table = at::arange(count * slots - 1, -1, -1, at::kInt)
                               .view({count, slots})
                               .t()
                               .contiguous();
  return {cut(keys), cut(values), table};
}

inline PagedQueries one_each(
    const at::Tensor& slots, const at::Tensor& lengths) {
  return {slots, lengths, {}, lengths.max().item<std::int64_t>()};
}

inline at::Tensor decode_attention(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt) {
  return paged_attention(
      q, in_pages(keys, values), one_each(slots, lengths), scale, bias);
}

}  // namespace moft::kernels
