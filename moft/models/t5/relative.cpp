// T5's buckets of relative positions.
#include "moft/models/t5/relative.h"

#include <cmath>

#include "moft/conditioning/steered_rows.h"

namespace moft {

// Float32 logarithms, as in transformers: a border moves by one distance
// otherwise.
at::Tensor relative_buckets(
    std::int64_t first, std::int64_t distances, const RelativeBuckets& rules) {
  const at::Tensor distance =
      at::arange(first, first + distances, at::TensorOptions(at::kLong));
  const std::int64_t count = rules.both_ways ? rules.count / 2 : rules.count;
  const at::Tensor away =
      rules.both_ways ? distance.abs() : distance.neg().clamp_min(0);
  const std::int64_t exact = count / 2;
  const double range =
      std::log(static_cast<double>(rules.max_distance) / exact);
  const at::Tensor far = at::log(away.clamp_min(1).to(at::kFloat) / exact)
                             .div(range)
                             .mul(count - exact)
                             .to(at::kLong)
                             .add(exact)
                             .clamp_max(count - 1);
  at::Tensor bucket = at::where(away.lt(exact), away, far);
  if (rules.both_ways) bucket = bucket + distance.gt(0).to(at::kLong) * count;
  return bucket;
}

at::Tensor relative_bias(
    const SteeredParameter& table,
    const at::Tensor& buckets,
    std::int64_t sequences,
    const RowSteering& steering) {
  const bool one = !differs_by_row(table, steering);
  const std::int64_t tables = one ? 1 : sequences;
  const std::int64_t rows = table.reference().size(0);
  const at::Device device = table.reference().device();
  const auto counting = at::TensorOptions(at::kLong).device(device);
  const at::Tensor ids = at::arange(rows, counting).repeat({tables});
  const at::Tensor owner = at::arange(tables, counting).repeat_interleave(rows);
  const at::Tensor values = steered_embedding(
      table, ids, one ? steering : steering.select(owner));  // [tables*rows, H]
  return values.view({tables, rows, -1})
      .index_select(1, buckets.to(device))
      .transpose(1, 2);
}

}  // namespace moft
