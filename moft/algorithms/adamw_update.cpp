// AdamW's update of one range of numbers. Compiled so that the loop becomes
// vector instructions, which round as single ones do (cmake/Kernels.cmake).
#include "moft/algorithms/adamw_update.h"

#include <cmath>

#if defined(__x86_64__) && defined(__GNUC__)
#define MOFT_ADAMW_AVX2 1
#endif

namespace moft {
namespace {

inline __attribute__((always_inline)) void update(
    float* __restrict theta,
    float* __restrict m,
    float* __restrict v,
    const float* __restrict g,
    std::int64_t count,
    const AdamWScalars s) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float gradient = g[i] * s.gradient_scale;
    m[i] = m[i] + s.one_minus_beta1 * (gradient - m[i]);
    v[i] = v[i] * s.beta2 + s.one_minus_beta2 * gradient * gradient;
    const float denominator = std::sqrt(v[i]) / s.second_correction + s.epsilon;
    theta[i] = theta[i] * s.decay + s.negative_step_size * m[i] / denominator;
  }
}

#ifdef MOFT_ADAMW_AVX2
__attribute__((target("avx2"))) void update_avx2(
    float* theta,
    float* m,
    float* v,
    const float* g,
    std::int64_t count,
    const AdamWScalars& scalars) {
  update(theta, m, v, g, count, scalars);
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
#ifdef MOFT_ADAMW_AVX2
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) return update_avx2(theta, m, v, g, count, scalars);
#endif
  update(theta, m, v, g, count, scalars);
}

}  // namespace moft
