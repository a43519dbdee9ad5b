// Gathers the pages of all sequences, then attends to all at once.
#include "moft/kernels/attention_aten.h"

#include <limits>

#include <ATen/core/grad_mode.h>

#include "moft/kernels/padding.h"

namespace moft::kernels {
namespace {

constexpr float kBlocked = -std::numeric_limits<float>::infinity();

at::Tensor counting(std::int64_t count, at::Device device) {
  return at::arange(count, at::TensorOptions(at::kLong).device(device));
}

// The first `entries` entries of every sequence, and which of them are read.
struct Gathered {
  at::Tensor keys;    // [sequences, kv_heads, entries, d]
  at::Tensor values;  // the same; 0 where unused
  at::Tensor unused;  // bool [sequences, entries]
};

Gathered gather(const KeyValuePages& pages, const PagedQueries& queries) {
  const std::int64_t sequences = queries.slots.size(0);
  const std::int64_t page = pages.keys.size(1);
  const std::int64_t count = (queries.longest + page - 1) / page;
  const at::Tensor chosen =
      pages.table.narrow(1, 0, count).index_select(0, queries.slots).view({-1});
  const auto read = [&](const at::Tensor& all) {
    return all.index_select(0, chosen)
        .to(at::kFloat)
        .reshape({sequences, count * page, all.size(2), all.size(3)})
        .narrow(1, 0, queries.longest)
        .transpose(1, 2);
  };
  Gathered result;
  result.unused = counting(queries.longest, pages.keys.device())
                      .unsqueeze(0)
                      .ge(queries.lengths.unsqueeze(1));
  const at::Tensor blocked = result.unused.unsqueeze(1).unsqueeze(3);
  // What lies beyond a sequence's length may be anything, NaN too.
  result.keys = read(pages.keys).masked_fill(blocked, 0.0);
  result.values = read(pages.values).masked_fill(blocked, 0.0);
  return result;
}

// [rows, heads, entries]
at::Tensor bias_of_rows(const ScoreBias& bias, const PagedQueries& queries) {
  const std::int64_t rows = queries.slots.size(0);
  const std::int64_t heads = bias.values.size(1), size = bias.values.size(2);
  const at::Tensor own =
      bias.tables.defined()
          ? bias.values.index_select(0, bias.tables)
          : bias.values.narrow(0, 0, 1).expand({rows, heads, size});
  const at::Tensor place =
      (counting(queries.longest, bias.values.device()).unsqueeze(0) + size -
       queries.lengths.unsqueeze(1))
          .clamp_max_(size - 1);
  return own.gather(
      2, place.unsqueeze(1).expand({rows, heads, queries.longest}));
}

at::Tensor attend_once(
    const at::Tensor& q,
    const Gathered& entries,
    const PagedQueries& queries,
    double scale,
    const std::optional<ScoreBias>& bias) {
  const std::int64_t rows = q.size(0), kv_heads = entries.keys.size(1);
  const at::Tensor grouped =
      q.to(at::kFloat).reshape({rows, kv_heads, -1, q.size(2)});
  const at::Tensor scores =
      at::matmul(grouped, entries.keys.transpose(2, 3)).mul_(scale);
  if (bias) scores.add_(bias_of_rows(*bias, queries).reshape(scores.sizes()));
  scores.masked_fill_(entries.unused.unsqueeze(1).unsqueeze(1), kBlocked);
  return at::matmul(at::softmax(scores, -1), entries.values).reshape(q.sizes());
}

at::Tensor attend_many(
    const at::Tensor& q,
    const Gathered& entries,
    const PagedQueries& queries,
    double scale) {
  const at::Device device = q.device();
  const std::int64_t sequences = queries.slots.size(0);
  const at::Tensor counts = queries.offsets.diff();
  const auto* count = counts.const_data_ptr<std::int64_t>();
  const Padding padding(
      places_of_lengths({count, count + sequences}), sequences, device);
  const at::Tensor first = queries.lengths - counts.to(device);
  const at::Tensor place =
      first.unsqueeze(1) + counting(padding.longest(), device).unsqueeze(0);
  const at::Tensor seen =  // [sequences, 1, queries, entries]
      counting(queries.longest, device)
          .view({1, 1, -1})
          .le(place.unsqueeze(2))
          .unsqueeze(1);
  const std::int64_t repeats = q.size(1) / entries.keys.size(1);
  const auto spread_heads = [&](const at::Tensor& all) {
    return repeats == 1 ? all : all.repeat_interleave(repeats, 1);
  };
  const at::Tensor attended = at::scaled_dot_product_attention(
      padding.spread(q.to(at::kFloat)),
      spread_heads(entries.keys),
      spread_heads(entries.values),
      seen,
      /*dropout_p=*/0.0,
      /*is_causal=*/false,
      scale);
  return padding.gather(attended).view(q.sizes());
}

}  // namespace

at::Tensor paged_attention_aten(
    const at::Tensor& q,
    const KeyValuePages& pages,
    const PagedQueries& queries,
    double scale,
    const std::optional<ScoreBias>& bias) {
  const at::NoGradGuard no_grad;
  if (q.size(0) == 0) return at::empty_like(q);
  const Gathered entries = gather(pages, queries);
  const at::Tensor result = queries.offsets.defined()
                                ? attend_many(q, entries, queries, scale)
                                : attend_once(q, entries, queries, scale, bias);
  return result.to(q.scalar_type());
}

void store_entries_aten(
    const KeyValuePages& pages,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& slots,
    const at::Tensor& positions) {
  const at::NoGradGuard no_grad;
  const std::int64_t size = pages.keys.size(1);
  const at::Tensor page =
      pages.table.index({slots, positions.div(size, "floor")}).to(at::kLong);
  const at::Tensor place = positions.remainder(size);
  for (const auto& [all, tokens] :
       {std::pair{pages.keys, k}, {pages.values, v}})
    at::Tensor(all).index_put_({page, place}, tokens.to(all.scalar_type()));
}

}  // namespace moft::kernels
