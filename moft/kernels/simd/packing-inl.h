// Rows of a matrix laid out as a panel: kLanes by kLanes numbers at a time.
#pragma once

#include <utility>

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

// Lanes begin, begin + 1, .. of a and b, in turn.
template <int kBegin, int... kLane>
MOFT_INLINE Vec
interleave(Vec a, Vec b, std::integer_sequence<int, kLane...> /*lanes*/) {
  return __builtin_shufflevector(
      a, b, (kBegin + kLane / 2 + kLane % 2 * kLanes)...);
}

// rows[c][i] becomes rows[i][c]: as many perfect shuffles as kLanes has bits.
MOFT_INLINE void transpose(Vec* rows) {
  constexpr std::make_integer_sequence<int, kLanes> kAll;
#pragma GCC unroll 4
  for (int stage = 1; stage < kLanes; stage *= 2) {
    Vec next[kLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kLanes / 2; ++i) {
      const Vec a = rows[i], b = rows[i + kLanes / 2];
      next[2 * i] = interleave<0>(a, b, kAll);
      next[2 * i + 1] = interleave<kLanes / 2>(a, b, kAll);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
      rows[i] = next[i];
  }
}

void pack_panel(
    const float* rows,
    std::int64_t row_stride,
    std::int64_t in,
    float* panel) {
  constexpr int kPanelWidth = 2 * kLanes;
  std::int64_t k = 0;
  for (; k + kLanes <= in; k += kLanes) {
    for (int half = 0; half < 2; ++half) {
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int c = 0; c < kLanes; ++c)
        block[c] = load(rows + (half * kLanes + c) * row_stride + k);
      transpose(block);
      float* target = panel + k * kPanelWidth + half * kLanes;
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i)
        store(target + i * kPanelWidth, block[i]);
    }
  }
  for (; k < in; ++k) {
    for (int c = 0; c < kPanelWidth; ++c)
      panel[k * kPanelWidth + c] = rows[c * row_stride + k];
  }
}

}  // namespace
}  // namespace moft::kernels::simd
