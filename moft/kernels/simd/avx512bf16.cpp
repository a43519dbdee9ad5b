// The kernels for AVX-512 (F, BW, DQ, VL) with products of bf16;
// flags in cmake/Kernels.cmake.
#if defined(__x86_64__)

#include "moft/kernels/simd/attention-inl.h"
#include "moft/kernels/simd/elementwise-inl.h"
#include "moft/kernels/simd/packing-inl.h"
#include "moft/kernels/simd/product-inl.h"
#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vocabulary-inl.h"

namespace moft::kernels::simd {

const Table kAvx512Bf16 = {
    .name = "avx512bf16",
    .panel = kPanel,
    .round_to_bf16 = round_to_bf16,
    .pack_panel = pack_panel,
    .product = product,
    .attention = attention,
    .rms_norm = rms_norm,
    .add_rms_norm = add_rms_norm,
    .rotary = rotary,
    .swiglu = swiglu,
    .geglu = geglu,
    .rms_norm_gradient = rms_norm_gradient,
    .swiglu_gradient = swiglu_gradient,
    .geglu_gradient = geglu_gradient,
    .mix = mix,
    .largest = largest,
    .exponentials = exponentials,
    .scaled_exponentials = scaled_exponentials,
    .difference_moments = difference_moments,
    .own_moments = own_moments,
};

}  // namespace moft::kernels::simd

#endif  // __x86_64__
