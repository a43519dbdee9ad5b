// Draws the rows of a parameter.
#include "moft/models/random/random_rows.h"

#include <algorithm>
#include <cmath>

#include "moft/core/random.h"

namespace moft {
namespace {

double draw(RandomStream& stream, double cutoff) {
  double value = stream.normal();
  while (cutoff > 0 && std::abs(value) > cutoff)
    value = stream.normal();
  return value;
}

}  // namespace

kernels::ReadRows random_rows(
    std::uint64_t seed,
    std::uint32_t tensor,
    const InitialSpread& spread,
    const std::vector<std::int64_t>& shape) {
  const std::int64_t width = shape.back();
  return [=](std::int64_t begin, std::int64_t end, float* target) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* values = target + (row - begin) * width;
      if (spread.deviation == 0.0) {
        std::fill_n(values, width, static_cast<float>(spread.constant));
        continue;
      }
      RandomStream stream(
          seed, Purpose::kInitialise, tensor, static_cast<std::uint32_t>(row));
      for (std::int64_t i = 0; i < width; ++i) {
        values[i] =
            static_cast<float>(spread.deviation * draw(stream, spread.cutoff));
      }
    }
  };
}

}  // namespace moft
