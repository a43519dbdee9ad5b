// The kernels for AVX2 with FMA; flags in cmake/Kernels.cmake.
#if defined(__x86_64__)

#include "moft/kernels/simd/table-inl.h"

namespace moft::kernels::simd {

constinit const Table kAvx2 = make_table("avx2");

}  // namespace moft::kernels::simd

#endif  // __x86_64__
