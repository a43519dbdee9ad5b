// Passes over one row of logits.
#pragma once

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

// The last, incomplete register of a row, padded with `padding`.
MOFT_INLINE Vec load_tail(const float* x, std::int64_t count, float padding) {
  float buffer[kLanes];
  for (int i = 0; i < kLanes; ++i)
    buffer[i] = i < count ? x[i] : padding;
  return load(buffer);
}

MOFT_INLINE void store_tail(float* x, std::int64_t count, Vec v) {
  float buffer[kLanes];
  store(buffer, v);
  for (std::int64_t i = 0; i < count; ++i)
    x[i] = buffer[i];
}

// Calls body(offset, lanes in use) over a row.
template <typename Body>
MOFT_INLINE void for_registers(std::int64_t count, Body body) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    body(i, std::int64_t{kLanes});
  if (i < count) body(i, count - i);
}

constexpr float kNothing = -__builtin_inff();

MOFT_INLINE Vec
load_some(const float* x, std::int64_t lanes, float padding = kNothing) {
  return lanes == kLanes ? load(x) : load_tail(x, lanes, padding);
}

float largest(const float* x, std::int64_t count) {
  Vec best[4] = {
      splat(kNothing), splat(kNothing), splat(kNothing), splat(kNothing)};
  Vec poison{};  // becomes NaN with the first NaN
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (int v = 0; v < 4; ++v) {
      const Vec value = load(x + i + v * kLanes);
      best[v] = larger(value, best[v]);
      // value - value is 0, or NaN for infinities too, hence the comparison.
      poison = value == value ? poison : value;
    }
  }
  float top =
      max_lane(larger(larger(best[0], best[1]), larger(best[2], best[3])));
  float bad = 0;
  for (int v = 0; v < kLanes; ++v)
    bad += poison[v];
  for (; i < count; ++i) {
    top = x[i] > top ? x[i] : top;
    if (x[i] != x[i]) bad = x[i];
  }
  return bad != bad ? bad : top;
}

double exponentials(
    const float* x,
    std::int64_t count,
    float scale,
    float shift,
    float* result) {
  WideSum total;
  for_registers(count, [&](std::int64_t i, std::int64_t lanes) {
    const Vec e = exp((load_some(x + i, lanes) - splat(shift)) * splat(scale));
    add(total, e);
    if (result == nullptr) return;
    if (lanes == kLanes) {
      store(result + i, e);
    } else {
      store_tail(result + i, lanes, e);
    }
  });
  return total.total();
}

void scaled_exponentials(
    const float* x,
    std::int64_t count,
    float scale,
    float shift,
    float factor,
    float* result) {
  for_registers(count, [&](std::int64_t i, std::int64_t lanes) {
    const Vec e = exp((load_some(x + i, lanes) - splat(shift)) * splat(scale)) *
                  splat(factor);
    if (lanes == kLanes) {
      store(result + i, e);
    } else {
      store_tail(result + i, lanes, e);
    }
  });
}

// Where w is 0 the product counts 0, whatever the other factor.
MOFT_INLINE Vec times(Vec w, Vec value) {
  const Vec zero{};
  return w == zero ? zero : w * value;
}

Moments difference_moments(
    const float* p,
    const float* q,
    std::int64_t count,
    float scale,
    float shift) {
  WideSum weights, weighted;
  for_registers(count, [&](std::int64_t i, std::int64_t lanes) {
    const Vec a = load_some(p + i, lanes);
    const Vec b = load_some(q + i, lanes, 0.0f);
    const Vec w = exp((a - splat(shift)) * splat(scale));
    add(weights, w);
    add(weighted, times(w, (a - b) * splat(scale)));
  });
  return {weights.total(), weighted.total()};
}

Moments own_moments(
    const float* p, std::int64_t count, float scale, float shift) {
  WideSum weights, weighted;
  for_registers(count, [&](std::int64_t i, std::int64_t lanes) {
    const Vec z = (load_some(p + i, lanes) - splat(shift)) * splat(scale);
    const Vec w = exp(z);
    add(weights, w);
    add(weighted, times(w, z));
  });
  return {weights.total(), weighted.total()};
}

}  // namespace
}  // namespace moft::kernels::simd
