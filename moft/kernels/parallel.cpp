// The thread pool of every kernel.
#include "moft/kernels/parallel.h"

#include <ATen/Parallel.h>

#ifndef INTRA_OP_PARALLEL
#error "compile this file with -fopenmp (cmake/Kernels.cmake)"
#endif

namespace moft::kernels {

void parallel_ranges(
    std::int64_t count,
    std::int64_t grain,
    const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(0, count, grain, body);
}

}  // namespace moft::kernels
