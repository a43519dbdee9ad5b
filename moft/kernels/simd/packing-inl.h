// Rows of a matrix laid out as a panel, kLanes by kLanes numbers at a time, and
// rounded to bf16.
#pragma once

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

template <int... kLane>
struct Lanes {};

// 0 .. kCount - 1.
template <int kCount, int... kLane>
struct CountedLanes : CountedLanes<kCount - 1, kCount - 1, kLane...> {};
template <int... kLane>
struct CountedLanes<0, kLane...> {
  using Type = Lanes<kLane...>;
};

// Lanes begin, begin + 1, .. of a and b, in turn.
template <int kBegin, int... kLane>
MOFT_INLINE Vec interleave(Vec a, Vec b, Lanes<kLane...> /*all*/) {
  return __builtin_shufflevector(
      a, b, (kBegin + kLane / 2 + kLane % 2 * kLanes)...);
}

// rows[c][i] becomes rows[i][c]: as many perfect shuffles as kLanes has bits.
MOFT_INLINE void transpose(Vec* rows) {
  constexpr CountedLanes<kLanes>::Type kAll;
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
    const float* rows, std::int64_t row_stride, std::int64_t in, float* panel) {
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
  // As bytes: they may be pairs.
  for (; k < in; ++k) {
    for (int c = 0; c < kPanelWidth; ++c) {
      float* to = panel + k * kPanelWidth + c;
      __builtin_memcpy(to, rows + c * row_stride + k, sizeof *to);
    }
  }
}

#if defined(__AVX512BF16__)
void round_to_bf16(const float* x, std::int64_t count, std::uint16_t* result) {
  const auto round = [](Vec v) {
    return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(result + i), round(load(x + i)));
  }
  if (i == count) return;
  const auto mask = static_cast<__mmask16>((1U << (count - i)) - 1);
  _mm256_mask_storeu_epi16(
      result + i, mask, round(_mm512_maskz_loadu_ps(mask, x + i)));
}
#endif

}  // namespace
}  // namespace moft::kernels::simd
