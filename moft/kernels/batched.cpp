#include "moft/kernels/batched.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

constexpr float kBlocked = -std::numeric_limits<float>::infinity();

// values [tables, heads, >= entries] -> [rows or 1, heads, entries].
at::Tensor bias_of_rows(const ScoreBias& bias, std::int64_t entries) {
  const at::Tensor near = bias.values.narrow(2, 0, entries);
  return bias.tables.defined()
             ? near.index_select(0, bias.tables.to(near.device()))
             : near.narrow(0, 0, 1);
}

}  // namespace

at::Tensor decode_attention_batched(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias) {
  const at::NoGradGuard no_grad;
  const at::Device device = q.device();
  const std::int64_t rows = q.size(0), kv_heads = keys.size(1);
  const std::int64_t entries =
      bias ? std::min(keys.size(2), bias->values.size(2)) : keys.size(2);
  const at::Tensor chosen = slots.to(device);
  const auto read = [&](const at::Tensor& buffer) {  // [rows, kv, entries, d]
    return buffer.narrow(2, 0, entries).index_select(0, chosen).to(at::kFloat);
  };
  const at::Tensor counting =
      at::arange(entries, at::TensorOptions(at::kLong).device(device));
  const at::Tensor unused =
      counting.unsqueeze(0).ge(lengths.to(device).unsqueeze(1));
  const at::Tensor grouped =
      q.to(at::kFloat).reshape({rows, kv_heads, -1, q.size(2)});
  const at::Tensor scores =
      at::matmul(grouped, read(keys).transpose(2, 3)).mul_(scale);
  if (bias) {
    const at::Tensor own = bias_of_rows(*bias, entries);
    scores.add_(own.reshape({own.size(0), kv_heads, -1, entries}));
  }
  scores.masked_fill_(unused.view({rows, 1, 1, entries}), kBlocked);
  // What lies beyond a row's length may be anything, NaN too.
  const at::Tensor used =
      read(values).masked_fill_(unused.view({rows, 1, entries, 1}), 0.0);
  return at::matmul(at::softmax(scores, -1), used)
      .reshape(q.sizes())
      .to(q.scalar_type());
}

at::Tensor prefill_attention_batched(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const TokenPlaces& tokens,
    double scale) {
  const at::NoGradGuard no_grad;
  if (q.size(0) == 0) return at::empty_like(q);
  const Padding padding(tokens, tokens.sequence.back() + 1, q.device());
  // Padding stands behind the tokens: none looks at it.
  const auto spread = [&](const at::Tensor& packed) {
    const std::int64_t repeats = q.size(1) / packed.size(1);
    return padding.spread(
        repeats == 1 ? packed : packed.repeat_interleave(repeats, 1));
  };
  const at::Tensor attended = at::scaled_dot_product_attention(
      spread(q),
      spread(k),
      spread(v),
      /*attn_mask=*/{},
      /*dropout_p=*/0.0,
      /*is_causal=*/true,
      scale);
  return padding.gather(attended).view(q.sizes());
}

bool can_sample_batched(const SampleOptions& options, std::int64_t vocabulary) {
  return options.top_k.value_or(vocabulary) >= vocabulary &&
         options.top_p.value_or(1.0) >= 1.0;
}

Samples sample_rows_batched(
    const at::Tensor& logits,
    const SampleOptions& options,
    std::span<const double> uniforms) {
  const at::NoGradGuard no_grad;
  const std::int64_t rows = logits.size(0);
  const auto scale =
      static_cast<double>(static_cast<float>(1.0 / options.temperature));
  const at::Tensor z = logits.to(at::kFloat);
  const at::Tensor largest = z.amax({-1}, /*keepdim=*/true);  // [rows, 1]
  const at::Tensor cumulative =
      (z - largest).mul_(scale).exp_().cumsum(-1, at::kDouble);
  const at::Tensor total = cumulative.narrow(1, cumulative.size(1) - 1, 1);
  at::Tensor ids;
  if (options.greedy) {
    ids = z.argmax(-1, /*keepdim=*/true);
  } else {
    const at::Tensor u =
        at::tensor(at::ArrayRef<double>(uniforms.data(), uniforms.size()))
            .to(logits.device())
            .unsqueeze(1);
    // Below the total also after rounding, so that some token is beyond it.
    const at::Tensor mark = at::minimum(
        u * total, total * (1.0 - std::numeric_limits<double>::epsilon()));
    ids = at::searchsorted(cumulative, mark, /*out_int32=*/false, true)
              .clamp_max_(cumulative.size(1) - 1);  // broken logits
  }
  const at::Tensor log_probs =
      (z.gather(1, ids).to(at::kDouble) - largest.to(at::kDouble))
          .mul_(scale)
          .sub_(total.log());
  // One transfer; ids fit into a double.
  const at::Tensor host =
      at::cat({ids.to(at::kDouble), log_probs, largest.to(at::kDouble)}, 1)
          .to(at::kCPU);
  for (std::int64_t row = 0; row < rows; ++row) {
    const double top = host.const_data_ptr<double>()[3 * row + 2];
    if (std::isfinite(top)) continue;
    throw_world_error(
        "sampling: the largest logit of row {} is {}; the model's output is "
        "broken or every token is forbidden",
        row,
        top);
  }
  Samples samples;
  samples.ids = host.select(1, 0).to(at::kLong);
  samples.log_probs = host.select(1, 1).to(at::kFloat);
  return samples;
}

}  // namespace moft::kernels
