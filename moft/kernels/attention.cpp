#include "moft/kernels/attention.h"

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

// q [heads, d], keys and values [kv_heads, L, d] -> [heads, d].
at::Tensor attend_aten(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    double scale) {
  const auto kv_heads = keys.size(0);
  const auto grouped = q.reshape({kv_heads, -1, q.size(-1)});
  const auto scores =
      at::matmul(grouped, keys.transpose(1, 2)).to(at::kFloat) * scale;
  const auto weights = at::softmax(scores, -1).to(values.scalar_type());
  return at::matmul(weights, values).reshape(q.sizes());
}

}  // namespace

at::Tensor decode_attention(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale) {
  at::NoGradGuard no_grad;
  auto out = at::empty(q.sizes(), q.options());
  const auto slot = slots.to(at::kCPU).contiguous();
  const auto length = lengths.to(at::kCPU).contiguous();
  for (int64_t row = 0; row < q.size(0); ++row) {
    const auto s = slot.data_ptr<int64_t>()[row];
    const auto n = length.data_ptr<int64_t>()[row];
    out[row].copy_(attend_aten(
        q[row], keys[s].narrow(1, 0, n), values[s].narrow(1, 0, n), scale));
  }
  return out;
}

at::Tensor prefill_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& offsets,
    double scale,
    const std::optional<Prefix>& prefix) {
  at::NoGradGuard no_grad;
  auto out = at::empty(q.sizes(), q.options());
  const auto* offset = offsets.data_ptr<int64_t>();
  for (int64_t s = 0; s + 1 < offsets.size(0); ++s) {
    for (int64_t t = offset[s]; t < offset[s + 1]; ++t) {
      const auto count = t + 1 - offset[s];
      auto keys = k.narrow(0, offset[s], count).transpose(0, 1);
      auto values = v.narrow(0, offset[s], count).transpose(0, 1);
      if (prefix) {
        const auto slot = prefix->slots[s].item<int64_t>();
        const auto n = prefix->lengths[s].item<int64_t>();
        keys = at::cat({prefix->keys[slot].narrow(1, 0, n), keys}, 1);
        values = at::cat({prefix->values[slot].narrow(1, 0, n), values}, 1);
      }
      out[t].copy_(attend_aten(q[t], keys, values, scale));
    }
  }
  return out;
}

void store_tokens(
    at::Tensor& buffer,
    const at::Tensor& tokens,
    const at::Tensor& slots,
    const at::Tensor& positions) {
  at::NoGradGuard no_grad;
  // [slots, max_len, kv_heads, d] seen through the same memory.
  auto by_position = buffer.transpose(1, 2);
  by_position.index_put_({slots, positions}, tokens.to(buffer.scalar_type()));
}

}  // namespace moft::kernels
