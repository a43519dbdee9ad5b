// The kernels for AVX-512 (F, BW, DQ, VL); flags in cmake/Kernels.cmake.
#if defined(__x86_64__)

#include "moft/kernels/simd/table-inl.h"

namespace moft::kernels::simd {

constinit const Table kAvx512 = make_table("avx512");

}  // namespace moft::kernels::simd

#endif  // __x86_64__
