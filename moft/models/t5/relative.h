// Relative positions of T5 (Raffel et al., arXiv 1910.10683, section 2.1; the
// bucket borders are those of Mesh TensorFlow's transformer layers).
//
// Near distances have a bucket each, further ones share buckets that widen
// with the logarithm, everything from max_distance on is one bucket. Where a
// token may look both ways, half of the buckets are for earlier
// tokens and half for later ones.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "moft/conditioning/row_steering.h"
#include "moft/conditioning/steered_parameter.h"

namespace moft {

struct RelativeBuckets {
  std::int64_t count = 32;
  std::int64_t max_distance = 128;
  bool both_ways = true;
};

// Buckets of the distances first, first + 1, .. (key's place minus query's
// place), `distances` of them: int64 [distances].
at::Tensor relative_buckets(
    std::int64_t first, std::int64_t distances, const RelativeBuckets& rules);

// The bias of every distance, from a table [buckets, heads]: a row of
// `steering` per sequence, or uniform. Returns [sequences or 1, heads,
// distances]; differentiable in the table's leaf.
at::Tensor relative_bias(
    const SteeredParameter& table,
    const at::Tensor& buckets,
    std::int64_t sequences,
    const RowSteering& steering);

}  // namespace moft
