// AdamW on a run of floats: one pass, no temporaries. Inside the part only.
#pragma once

#include <cstdint>

namespace moft {

// The numbers that all elements of one parameter share in one step.
struct AdamWScalars {
  float gradient_scale;  // c times the clipping factor
  float decay;           // 1 - lr weight_decay
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float negative_step_size;  // -lr / (1 - beta1^t)
  float second_correction;   // sqrt(1 - beta2^t)
  float epsilon;
};

// theta, m, v and g have `count` elements. The same bits with and without
// vector instructions: products and sums are rounded one by one.
void adamw_update(
    float* theta,
    float* m,
    float* v,
    const float* g,
    std::int64_t count,
    const AdamWScalars& scalars);

}  // namespace moft
