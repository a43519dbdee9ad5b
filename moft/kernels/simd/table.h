// The kernels as plain functions on pointers, one table per instruction set.
//
// The same source (the *-inl.h files) is compiled for portable C++, AVX2+FMA,
// AVX-512, and AVX-512 with bf16 products; table() picks once, by what the
// processor can do. The variants may differ in last bits; one machine always
// uses one variant. Setting the environment variable MOFT_SIMD to generic, avx2
// or avx512 lowers the choice (for tests); it never raises it.
//
// All strides and counts are in elements. Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moft::kernels::simd {

// How panels hold the weights: [panels][in][width] floats or bf16 bits, or the
// blocks of kernels/block_panels.h. kBFloat16Pairs: [panels][in][width] pairs
// of bf16 bits; x holds such pairs too, each in the place of a float, and `in`
// counts pairs.
enum class PanelFormat {
  kFloat32,
  kBFloat16,
  kBFloat16Pairs,
  kBlocks4,
  kBlocks8,
  kBlocks8Offsets,
  kBlocks8Halves
};

// out[r, o] = bias[o] + sum over k of x[r, k] w[o, k], a single chain in k.
struct Product {
  const float* x;
  std::int64_t x_stride;
  std::int64_t rows;
  const void* panels;
  PanelFormat format;
  std::int64_t in;
  std::int64_t out;
  const float* bias;  // [out] or null
  bool accumulate;    // the chains start from result; there is no bias then
  float* result;
  std::int64_t result_stride;
  std::int64_t first_panel;  // the part of the panels to compute
  std::int64_t last_panel;   // exclusive
};

// A run of keys and values of one head: entry j at keys + j * stride.
struct Entries {
  const float* keys;
  const float* values;
  std::int64_t key_stride;
  std::int64_t value_stride;
  std::int64_t count;
};

// One query head over runs of entries, the oldest first; scratch holds the sum
// of their counts plus 16 floats.
struct Attention {
  const float* q;
  const Entries* runs;
  std::int64_t run_count;
  std::int64_t width;
  float scale;
  const float* bias;  // one number per entry, added to the scores, or null
  float* scratch;
  float* result;
  float* log_sum;  // log of the sum of exp(score), or null
};

// Where the gradients of a run's keys and values are added.
struct EntryGradients {
  float* keys;
  float* values;
  std::int64_t key_stride;
  std::int64_t value_stride;
};

// Backward pass of one query head. `attention.result` is read, not written.
struct AttentionGradient {
  Attention attention;
  const float* of_result;
  float* of_q;                    // written
  const EntryGradients* of_runs;  // one per run
  float* of_bias;                 // added to, or null
};

struct Moments {
  double weights;   // sum of w_i = exp(scale * x_i - shift)
  double weighted;  // sum of w_i times something
};

struct Table {
  const char* name;
  int panel;  // outputs per panel
  // Rounds to bf16, to nearest even; null without products of bf16 pairs.
  void (*round_to_bf16)(
      const float* x, std::int64_t count, std::uint16_t* result);
  // `panel` rows [in], floats or pairs in the bits of floats -> [in][panel].
  void (*pack_panel)(
      const float* rows,
      std::int64_t row_stride,
      std::int64_t in,
      float* panel);
  void (*product)(const Product& p);
  void (*attention)(const Attention& a);
  void (*attention_gradient)(const AttentionGradient& g);
  // result = x / sqrt(mean(x^2) + eps) * gain; x may be result.
  void (*rms_norm)(
      const float* x,
      const float* gain,
      float eps,
      std::int64_t width,
      float* result);
  void (*rotary)(
      float* x, const float* cosine, const float* sine, std::int64_t half);
  void (*swiglu)(
      const float* gate, const float* up, std::int64_t width, float* result);
  void (*geglu)(
      const float* gate, const float* up, std::int64_t width, float* result);
  // Backward passes of layer_functions.h. of_gain is added to, or null.
  void (*rms_norm_gradient)(
      const float* x,
      const float* gain,
      const float* of_result,
      float eps,
      std::int64_t width,
      float* of_x,
      float* of_gain);
  void (*swiglu_gradient)(
      const float* gate,
      const float* up,
      const float* of_result,
      std::int64_t width,
      float* of_gate,
      float* of_up);
  void (*geglu_gradient)(
      const float* gate,
      const float* up,
      const float* of_result,
      std::int64_t width,
      float* of_gate,
      float* of_up);
  // result[i] = sum over t of factors[t] * sources[t][i], terms >= 1: in
  // double, in the order of the terms, rounded once.
  void (*mix)(
      const float* const* sources,
      const double* factors,
      std::size_t terms,
      std::int64_t count,
      float* result);
  // The largest element; -inf when count is 0; NaN when any element is NaN.
  float (*largest)(const float* x, std::int64_t count);
  // result[i] = exp(scale * (x[i] - shift)); returns their sum. result may be
  // null (sum only).
  double (*exponentials)(
      const float* x,
      std::int64_t count,
      float scale,
      float shift,
      float* result);
  // result[i] = factor * exp(scale * (x[i] - shift)); x may be result.
  void (*scaled_exponentials)(
      const float* x,
      std::int64_t count,
      float scale,
      float shift,
      float factor,
      float* result);
  // w_i = exp(scale * (p[i] - shift)); weighted by scale * (p[i] - q[i]).
  Moments (*difference_moments)(
      const float* p,
      const float* q,
      std::int64_t count,
      float scale,
      float shift);
  // Weighted by scale * (p[i] - shift).
  Moments (*own_moments)(
      const float* p, std::int64_t count, float scale, float shift);
};

const Table& table();

extern const Table kGeneric;
// Only on x86-64.
extern const Table kAvx2;
extern const Table kAvx512;
extern const Table kAvx512Bf16;

}  // namespace moft::kernels::simd
