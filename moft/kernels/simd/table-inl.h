// The table of the kernels as the including file's instruction set has them.
#pragma once

#include "moft/kernels/simd/attention-inl.h"
#include "moft/kernels/simd/elementwise-inl.h"
#include "moft/kernels/simd/packing-inl.h"
#include "moft/kernels/simd/product-inl.h"
#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vocabulary-inl.h"

namespace moft::kernels::simd {
namespace {

constexpr Table make_table(const char* name) {
  return {
    .name = name, .panel = kPanel,
#if defined(__AVX512BF16__)
    .round_to_bf16 = round_to_bf16,
#else
    .round_to_bf16 = nullptr,
#endif
    .pack_panel = pack_panel, .product = product, .attention = attention,
    .attention_gradient = attention_gradient, .rms_norm = rms_norm,
    .rotary = rotary, .swiglu = swiglu, .geglu = geglu,
    .rms_norm_gradient = rms_norm_gradient, .swiglu_gradient = swiglu_gradient,
    .geglu_gradient = geglu_gradient, .mix = mix, .largest = largest,
    .exponentials = exponentials, .scaled_exponentials = scaled_exponentials,
    .difference_moments = difference_moments, .own_moments = own_moments,
  };
}

}  // namespace
}  // namespace moft::kernels::simd
