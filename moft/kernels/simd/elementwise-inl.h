// Norms, rotary embedding, gated activation: one row at a time.
#pragma once

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

float inverse_root(float squares, float eps, std::int64_t width) {
  return 1.0f / __builtin_sqrtf(squares / static_cast<float>(width) + eps);
}

void apply_gain(
    const float* x,
    const float* gain,
    float scale,
    std::int64_t width,
    float* result) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    store(result + i, load(x + i) * splat(scale) * load(gain + i));
  }
  for (; i < width; ++i)
    result[i] = x[i] * scale * gain[i];
}

void rms_norm(
    const float* x,
    const float* gain,
    float eps,
    std::int64_t width,
    float* result) {
  Vec squares[2] = {};
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= width; i += 2 * kLanes) {
    const Vec a = load(x + i), b = load(x + i + kLanes);
    squares[0] = fma(a, a, squares[0]);
    squares[1] = fma(b, b, squares[1]);
  }
  float rest = 0;
  for (; i < width; ++i)
    rest = fma(x[i], x[i], rest);
  const float total = sum(squares[0] + squares[1]) + rest;
  apply_gain(x, gain, inverse_root(total, eps, width), width, result);
}

void rotary(
    float* x, const float* cosine, const float* sine, std::int64_t half) {
  std::int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vec a = load(x + i), b = load(x + half + i);
    const Vec c = load(cosine + i), s = load(sine + i);
    store(x + i, fma(a, c, -(b * s)));
    store(x + half + i, fma(b, c, a * s));
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i];
    x[i] = fma(a, cosine[i], -(b * sine[i]));
    x[half + i] = fma(b, cosine[i], a * sine[i]);
  }
}

void swiglu(
    const float* gate, const float* up, std::int64_t width, float* result) {
  const Vec one = splat(1.0f);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Vec g = load(gate + i);
    store(result + i, g / (one + exp(-g)) * load(up + i));
  }
  for (; i < width; ++i) {
    result[i] = gate[i] / (1.0f + exp(-gate[i])) * up[i];
  }
}

// gelu's tanh form is x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + c x^3).
void geglu(
    const float* gate, const float* up, std::int64_t width, float* result) {
  constexpr float kLinear = -1.5957691216057308f;  // -2 sqrt(2 / pi)
  constexpr float kCubic = kLinear * 0.044715f;
  const Vec one = splat(1.0f);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Vec g = load(gate + i);
    const Vec slope = fma(g * g, splat(kCubic), splat(kLinear));
    store(result + i, g / (one + exp(g * slope)) * load(up + i));
  }
  for (; i < width; ++i) {
    const float g = gate[i];
    const float slope = fma(g * g, kCubic, kLinear);
    result[i] = g / (1.0f + exp(g * slope)) * up[i];
  }
}

// y = x r gain with r of rms_norm. of_gain, when given, is added to.
void rms_norm_gradient(
    const float* x,
    const float* gain,
    const float* of_y,
    float eps,
    std::int64_t width,
    float* of_x,
    float* of_gain) {
  Vec squares[2] = {}, products[2] = {};
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= width; i += 2 * kLanes) {
    for (int v = 0; v < 2; ++v) {
      const Vec value = load(x + i + v * kLanes);
      const Vec back =
          load(of_y + i + v * kLanes) * load(gain + i + v * kLanes);
      squares[v] = fma(value, value, squares[v]);
      products[v] = fma(value, back, products[v]);
    }
  }
  float square = 0, product = 0;
  for (; i < width; ++i) {
    square = fma(x[i], x[i], square);
    product = fma(x[i], of_y[i] * gain[i], product);
  }
  const float r =
      inverse_root(sum(squares[0] + squares[1]) + square, eps, width);
  const float mean =
      (sum(products[0] + products[1]) + product) / static_cast<float>(width);
  const float pull = r * r * r * mean;
  for (i = 0; i + kLanes <= width; i += kLanes) {
    const Vec value = load(x + i), back = load(of_y + i);
    store(
        of_x + i, fma(back * load(gain + i), splat(r), -(value * splat(pull))));
    if (of_gain == nullptr) continue;
    store(of_gain + i, fma(back, value * splat(r), load(of_gain + i)));
  }
  for (; i < width; ++i) {
    of_x[i] = fma(of_y[i] * gain[i], r, -(x[i] * pull));
    if (of_gain != nullptr) of_gain[i] = fma(of_y[i], x[i] * r, of_gain[i]);
  }
}

// f(z) = z s(z) with s falling from 1 to 0 where e = exp(..) grows.
// of_up = G f, of_gate = G up s (1 + z (1 - s) slope), slope that of -ln e.
template <typename Number>
MOFT_INLINE Number gate_gradient(Number s, Number z, Number slope, Number one) {
  return s * fma(z * (one - s), slope, one);
}

void swiglu_gradient(
    const float* gate,
    const float* up,
    const float* of_y,
    std::int64_t width,
    float* of_gate,
    float* of_up) {
  const Vec one = splat(1.0f);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Vec z = load(gate + i), back = load(of_y + i);
    const Vec s = one / (one + exp(-z));
    store(of_up + i, back * z * s);
    store(of_gate + i, back * load(up + i) * gate_gradient(s, z, one, one));
  }
  for (; i < width; ++i) {
    const float z = gate[i], back = of_y[i];
    const float s = 1.0f / (1.0f + exp(-z));
    of_gate[i] = back * up[i] * gate_gradient(s, z, 1.0f, 1.0f);
    of_up[i] = back * z * s;
  }
}

void geglu_gradient(
    const float* gate,
    const float* up,
    const float* of_y,
    std::int64_t width,
    float* of_gate,
    float* of_up) {
  constexpr float kLinear = -1.5957691216057308f;  // -2 sqrt(2 / pi)
  constexpr float kCubic = kLinear * 0.044715f;
  const Vec one = splat(1.0f);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Vec z = load(gate + i), back = load(of_y + i);
    const Vec square = z * z;
    const Vec s =
        one / (one + exp(z * fma(square, splat(kCubic), splat(kLinear))));
    const Vec slope = fma(square, splat(-3.0f * kCubic), splat(-kLinear));
    store(of_up + i, back * z * s);
    store(of_gate + i, back * load(up + i) * gate_gradient(s, z, slope, one));
  }
  for (; i < width; ++i) {
    const float z = gate[i], back = of_y[i];
    const float s = 1.0f / (1.0f + exp(z * fma(z * z, kCubic, kLinear)));
    const float slope = fma(z * z, -3.0f * kCubic, -kLinear);
    of_gate[i] = back * up[i] * gate_gradient(s, z, slope, 1.0f);
    of_up[i] = back * z * s;
  }
}

void mix(
    const float* const* sources,
    const double* factors,
    std::size_t terms,
    std::int64_t count,
    float* result) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Half low, high;
    widen(load(sources[0] + i), &low, &high);
    low = low * factors[0];
    high = high * factors[0];
    for (std::size_t t = 1; t < terms; ++t) {
      Half next_low, next_high;
      widen(load(sources[t] + i), &next_low, &next_high);
      low = low + next_low * factors[t];
      high = high + next_high * factors[t];
    }
    store(result + i, narrow(low, high));
  }
  for (; i < count; ++i) {
    double sum = factors[0] * static_cast<double>(sources[0][i]);
    for (std::size_t t = 1; t < terms; ++t)
      sum += factors[t] * static_cast<double>(sources[t][i]);
    result[i] = static_cast<float>(sum);
  }
}

}  // namespace
}  // namespace moft::kernels::simd
