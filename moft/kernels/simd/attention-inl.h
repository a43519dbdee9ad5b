// One query head over its keys and values.
#pragma once

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

MOFT_INLINE float dot(const float* a, const float* b, std::int64_t width) {
  Vec s{};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    s = fma(load(a + i), load(b + i), s);
  float rest = 0;
  for (; i < width; ++i)
    rest = fma(a[i], b[i], rest);
  return sum(s) + rest;
}

// Columns [0, V * kLanes) of the weighted sum of the values.
template <int V>
void weighted_values(
    const Attention& a, const float* weights, std::int64_t column, float norm) {
  Vec s[V] = {};
  for (std::int64_t r = 0; r < a.run_count; ++r) {
    const Entries& run = a.runs[r];
    const float* value = run.values + column;
    for (std::int64_t j = 0; j < run.count; ++j, value += run.value_stride) {
      const Vec weight = splat(*weights++);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        s[v] = fma(weight, load(value + v * kLanes), s[v]);
      }
    }
  }
  for (int v = 0; v < V; ++v) {
    store(a.result + column + v * kLanes, s[v] * splat(norm));
  }
}

void weighted_tail(
    const Attention& a, const float* weights, std::int64_t column, float norm) {
  float s = 0;
  for (std::int64_t r = 0; r < a.run_count; ++r) {
    const Entries& run = a.runs[r];
    for (std::int64_t j = 0; j < run.count; ++j) {
      s = fma(*weights++, run.values[j * run.value_stride + column], s);
    }
  }
  a.result[column] = s * norm;
}

std::int64_t scores(const Attention& a) {
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < a.run_count; ++r) {
    const Entries& run = a.runs[r];
    const float* key = run.keys;
    for (std::int64_t j = 0; j < run.count; ++j, key += run.key_stride) {
      a.scratch[count++] = dot(a.q, key, a.width) * a.scale;
    }
  }
  if (a.bias != nullptr) {
    for (std::int64_t j = 0; j < count; ++j)
      a.scratch[j] += a.bias[j];
  }
  return count;
}

// Replaces the scores by exp(score - largest).
struct SoftmaxSum {
  float largest;
  float total;  // of the exponentials
};

SoftmaxSum softmax_weights(float* scores, std::int64_t count) {
  float largest = scores[0];
  for (std::int64_t j = 1; j < count; ++j) {
    largest = scores[j] > largest ? scores[j] : largest;
  }
  // Padding that weighs nothing, so that every step is a full register.
  for (int i = 0; i < kLanes; ++i)
    scores[count + i] = -__builtin_inff();
  Vec total{};
  for (std::int64_t j = 0; j < count; j += kLanes) {
    const Vec weight = exp(load(scores + j) - splat(largest));
    store(scores + j, weight);
    total = total + weight;
  }
  return {largest, sum(total)};
}

void attention(const Attention& a) {
  const auto count = scores(a);
  const SoftmaxSum weights = softmax_weights(a.scratch, count);
  const float norm = 1.0f / weights.total;
  if (a.log_sum != nullptr) {
    *a.log_sum = weights.largest + __builtin_logf(weights.total);
  }
  std::int64_t c = 0;
  for (; c + 8 * kLanes <= a.width; c += 8 * kLanes) {
    weighted_values<8>(a, a.scratch, c, norm);
  }
  for (; c + 4 * kLanes <= a.width; c += 4 * kLanes) {
    weighted_values<4>(a, a.scratch, c, norm);
  }
  for (; c + kLanes <= a.width; c += kLanes) {
    weighted_values<1>(a, a.scratch, c, norm);
  }
  for (; c < a.width; ++c)
    weighted_tail(a, a.scratch, c, norm);
}

// result += factor * x.
MOFT_INLINE void add_scaled(
    float factor, const float* x, std::int64_t width, float* result) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    store(result + i, fma(splat(factor), load(x + i), load(result + i)));
  for (; i < width; ++i)
    result[i] = fma(factor, x[i], result[i]);
}

void attention_gradient(const AttentionGradient& g) {
  const Attention& a = g.attention;
  const auto count = scores(a);
  const float norm = 1.0f / softmax_weights(a.scratch, count).total;
  const float inner = dot(a.result, g.of_result, a.width);
  for (std::int64_t i = 0; i < a.width; ++i)
    g.of_q[i] = 0;
  const float* weight = a.scratch;
  float* of_bias = g.of_bias;
  for (std::int64_t r = 0; r < a.run_count; ++r) {
    const Entries& run = a.runs[r];
    const EntryGradients& of = g.of_runs[r];
    for (std::int64_t j = 0; j < run.count; ++j) {
      const float* key = run.keys + j * run.key_stride;
      const float* value = run.values + j * run.value_stride;
      const float p = *weight++ * norm;
      const float of_sum = p * (dot(g.of_result, value, a.width) - inner);
      if (of_bias != nullptr) *of_bias++ += of_sum;
      const float of_score = of_sum * a.scale;
      add_scaled(p, g.of_result, a.width, of.values + j * of.value_stride);
      add_scaled(of_score, a.q, a.width, of.keys + j * of.key_stride);
      add_scaled(of_score, key, a.width, g.of_q);
    }
  }
}

}  // namespace
}  // namespace moft::kernels::simd
