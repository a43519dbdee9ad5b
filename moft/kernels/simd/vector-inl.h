// One vector register of floats, for the instruction set of the including
// file. Everything has internal linkage, and only freestanding headers are
// included: no function compiled here may be picked by the linker for code
// that runs on another processor.
//
// fma() is one rounding wherever the processor has it. The files that include
// this are compiled with -ffp-contract=off, so that nothing else is fused.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace moft::kernels::simd {
namespace {

#define MOFT_INLINE [[gnu::always_inline]] inline

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileRows = 12;
constexpr int kAccumulators = 24;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileRows = 6;
constexpr int kAccumulators = 12;
#else
constexpr int kLanes = 4;
constexpr int kTileRows = 4;
constexpr int kAccumulators = 8;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef float LooseVec
    __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

MOFT_INLINE Vec load(const float* p) {
  return *reinterpret_cast<const LooseVec*>(p);
}

MOFT_INLINE void store(float* p, Vec v) {
  *reinterpret_cast<LooseVec*>(p) = v;
}

MOFT_INLINE Vec splat(float x) {
  return x - Vec{};
}

MOFT_INLINE float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// a * b + c.
MOFT_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__FP_FAST_FMAF)
  for (int i = 0; i < kLanes; ++i)
    c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#else
  return a * b + c;
#endif
}

// Lane-wise; returns b where a is NaN, and b where b is NaN.
MOFT_INLINE Vec larger(Vec a, Vec b) {
  return a > b ? a : b;
}
MOFT_INLINE Vec smaller(Vec a, Vec b) {
  return a < b ? a : b;
}

// Eight (or four, or sixteen) bf16 numbers widened.
MOFT_INLINE Vec load(const std::uint16_t* p) {
#if defined(__AVX512F__)
  const auto raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
#elif defined(__AVX2__)
  const auto raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
#else
  IntVec wide;
  for (int i = 0; i < kLanes; ++i) {
    wide[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(p[i]) << 16);
  }
  return reinterpret_cast<Vec>(wide);
#endif
}

// Two neighbouring inputs in bf16, the earlier one in the lower half.
struct Pair {
  std::uint16_t bits[2];
};

#if defined(__AVX512BF16__)
// kLanes pairs in the bits of floats.
MOFT_INLINE Vec load(const Pair* p) {
  return _mm512_loadu_ps(p);
}

// One pair for all lanes: bits, not a number, so that no arithmetic touches it.
MOFT_INLINE Vec splat_pair(const float* p) {
  std::int32_t bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return _mm512_castsi512_ps(_mm512_set1_epi32(bits));
}

// sum + the products of both halves, in one instruction: subnormal numbers
// count as 0.
MOFT_INLINE Vec add_pair(Vec a, Vec b, Vec sum) {
  return _mm512_dpbf16_ps(
      sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
#endif

// kLanes whole numbers out of bytes.
MOFT_INLINE IntVec load_integers(const std::uint8_t* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<IntVec>(_mm512_cvtepu8_epi32(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return reinterpret_cast<IntVec>(_mm256_cvtepu8_epi32(
      _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  IntVec wide;
  for (int i = 0; i < kLanes; ++i)
    wide[i] = p[i];
  return wide;
#endif
}

MOFT_INLINE IntVec load_integers(const std::int8_t* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<IntVec>(_mm512_cvtepi8_epi32(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return reinterpret_cast<IntVec>(_mm256_cvtepi8_epi32(
      _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  IntVec wide;
  for (int i = 0; i < kLanes; ++i)
    wide[i] = p[i];
  return wide;
#endif
}

MOFT_INLINE Vec to_floats(IntVec v) {
  return __builtin_convertvector(v, Vec);
}

// As many doubles as fit into one register: half of a Vec.
typedef double Half __attribute__((vector_size(kLanes * 4)));

MOFT_INLINE void widen(Vec v, Half* low, Half* high) {
#if defined(__AVX512F__)
  *low = _mm512_cvtps_pd(_mm512_castps512_ps256(v));
  *high = _mm512_cvtps_pd(
      _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)));
#elif defined(__AVX2__)
  *low = _mm256_cvtps_pd(_mm256_castps256_ps128(v));
  *high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
#else
  for (int i = 0; i < kLanes / 2; ++i) {
    (*low)[i] = v[i];
    (*high)[i] = v[i + kLanes / 2];
  }
#endif
}

// Rounded to nearest even.
MOFT_INLINE Vec narrow(Half low, Half high) {
#if defined(__AVX512F__)
  return _mm512_castpd_ps(_mm512_insertf64x4(
      _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(low))),
      _mm256_castps_pd(_mm512_cvtpd_ps(high)),
      1));
#elif defined(__AVX2__)
  return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
#else
  Vec v;
  for (int i = 0; i < kLanes / 2; ++i) {
    v[i] = static_cast<float>(low[i]);
    v[i + kLanes / 2] = static_cast<float>(high[i]);
  }
  return v;
#endif
}

// The sum of all lanes, always the same tree.
MOFT_INLINE float sum(Vec v) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 half =
      _mm512_castps512_ps256(v) +
      _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
#else
  const __m256 half = v;
#endif
  __m128 s = _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1);
  s = s + _mm_movehl_ps(s, s);
  return s[0] + s[1];
#else
  return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

MOFT_INLINE float max_lane(Vec v) {
  float best = v[0];
  for (int i = 1; i < kLanes; ++i)
    best = v[i] > best ? v[i] : best;
  return best;
}

// Sums of floats kept in double, lane by lane.
struct WideSum {
  Half low = {};
  Half high = {};

  MOFT_INLINE double total() const {
    double s = 0;
    for (int i = 0; i < kLanes / 2; ++i)
      s += low[i];
    for (int i = 0; i < kLanes / 2; ++i)
      s += high[i];
    return s;
  }
};

MOFT_INLINE void add(WideSum& sum, Vec v) {
  Half low, high;
  widen(v, &low, &high);
  sum.low = sum.low + low;
  sum.high = sum.high + high;
}

// exp(x), at most 1.5 ulp from the truth (tests/kernels/exp_test.cpp).
// x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 P(r) with P a weighted
// least-squares fit made for this project; 2^n in two factors, so that
// subnormal results, 0 and infinity come out by themselves. NaN stays NaN.
MOFT_INLINE Vec exp(Vec x) {
  const Vec clamped = smaller(splat(89.0f), larger(splat(-104.0f), x));
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23: rounds to an integer
  const Vec shifted = fma(clamped, splat(1.44269504f), magic);
  const Vec n = shifted - magic;
  Vec r = fma(n, splat(-0.693145752f), clamped);
  r = fma(n, splat(-1.42860677e-6f), r);
  Vec p = splat(0x1.9f089cp-13f);
  p = fma(p, r, splat(0x1.6d8d08p-10f));
  p = fma(p, r, splat(0x1.11127p-7f));
  p = fma(p, r, splat(0x1.55548ep-5f));
  p = fma(p, r, splat(0x1.555554p-3f));
  p = fma(p, r, splat(0x1p-1f));
  const Vec tail = fma(p, r * r, r);
  const IntVec whole =
      reinterpret_cast<IntVec>(shifted) - reinterpret_cast<IntVec>(magic);
  const IntVec half = whole >> 1;
  const IntVec rest = whole - half;
  const Vec first = reinterpret_cast<Vec>((half + 127) << 23);
  const Vec second = reinterpret_cast<Vec>((rest + 127) << 23);
  return (tail + splat(1.0f)) * first * second;
}

MOFT_INLINE float exp(float x) {
  return exp(splat(x))[0];
}

}  // namespace
}  // namespace moft::kernels::simd
