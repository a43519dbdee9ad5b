// The kernels for any processor; flags in cmake/Kernels.cmake.
#include "moft/kernels/simd/table-inl.h"

namespace moft::kernels::simd {

constinit const Table kGeneric = make_table("generic");

}  // namespace moft::kernels::simd
