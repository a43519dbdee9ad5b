// The kernels for AVX-512 (F, BW, DQ, VL) with products of bf16;
// flags in cmake/Kernels.cmake.
#if defined(__x86_64__)

#include "moft/kernels/simd/table-inl.h"

namespace moft::kernels::simd {

constinit const Table kAvx512Bf16 = make_table("avx512bf16");

}  // namespace moft::kernels::simd

#endif  // __x86_64__
