// AdamW's update of one range of numbers.
#include "moft/algorithms/adamw_update.h"

#include <cmath>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define MOFT_ADAMW_AVX2 1
#endif

namespace moft {
namespace {

void update_plain(
    float* theta,
    float* m,
    float* v,
    const float* g,
    std::int64_t count,
    const AdamWScalars& s) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float gradient = g[i] * s.gradient_scale;
    m[i] = m[i] + s.one_minus_beta1 * (gradient - m[i]);
    v[i] = v[i] * s.beta2 + s.one_minus_beta2 * gradient * gradient;
    const float denominator = std::sqrt(v[i]) / s.second_correction + s.epsilon;
    theta[i] = theta[i] * s.decay + s.negative_step_size * m[i] / denominator;
  }
}

#ifdef MOFT_ADAMW_AVX2
__attribute__((target("avx2"))) std::int64_t update_avx2(
    float* theta,
    float* m,
    float* v,
    const float* g,
    std::int64_t count,
    const AdamWScalars& s) {
  const __m256 scale = _mm256_set1_ps(s.gradient_scale);
  const __m256 decay = _mm256_set1_ps(s.decay);
  const __m256 rest1 = _mm256_set1_ps(s.one_minus_beta1);
  const __m256 beta2 = _mm256_set1_ps(s.beta2);
  const __m256 rest2 = _mm256_set1_ps(s.one_minus_beta2);
  const __m256 step = _mm256_set1_ps(s.negative_step_size);
  const __m256 correction = _mm256_set1_ps(s.second_correction);
  const __m256 epsilon = _mm256_set1_ps(s.epsilon);
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 gradient = _mm256_mul_ps(_mm256_loadu_ps(g + i), scale);
    __m256 first = _mm256_loadu_ps(m + i);
    first = _mm256_add_ps(
        first, _mm256_mul_ps(rest1, _mm256_sub_ps(gradient, first)));
    __m256 second = _mm256_mul_ps(_mm256_loadu_ps(v + i), beta2);
    second = _mm256_add_ps(
        second, _mm256_mul_ps(_mm256_mul_ps(rest2, gradient), gradient));
    const __m256 denominator = _mm256_add_ps(
        _mm256_div_ps(_mm256_sqrt_ps(second), correction), epsilon);
    const __m256 kept = _mm256_mul_ps(_mm256_loadu_ps(theta + i), decay);
    const __m256 change =
        _mm256_div_ps(_mm256_mul_ps(step, first), denominator);
    _mm256_storeu_ps(m + i, first);
    _mm256_storeu_ps(v + i, second);
    _mm256_storeu_ps(theta + i, _mm256_add_ps(kept, change));
  }
  return i;
}
#endif

}  // namespace

void adamw_update(
    float* theta,
    float* m,
    float* v,
    const float* g,
    std::int64_t count,
    const AdamWScalars& scalars) {
  std::int64_t done = 0;
#ifdef MOFT_ADAMW_AVX2
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) done = update_avx2(theta, m, v, g, count, scalars);
#endif
  update_plain(
      theta + done, m + done, v + done, g + done, count - done, scalars);
}

}  // namespace moft
