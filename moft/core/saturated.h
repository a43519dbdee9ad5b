// Sums and products of sizes that stop at the largest number instead of
// overflowing: a size made of a user's settings is then more than any limit.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <limits>

namespace moft {

// REQUIRES a, b >= 0.
constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

// REQUIRES a, b >= 0.
constexpr std::int64_t saturated_product(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return b > 0 && a > kMost / b ? kMost : a * b;
}

}  // namespace moft
