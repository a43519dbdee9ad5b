// Splits a range over libtorch's own worker threads.
//
// at::parallel_for is a template that silently runs on one thread in any file
// compiled without -fopenmp; here it is instantiated once, with the flag.
// Honours at::get_num_threads(); serial inside another parallel region.
#pragma once

#include <cstdint>
#include <functional>

namespace moft::kernels {

// Calls body(begin, end) on disjoint sub-ranges that cover [0, count), each of
// at least `grain` items (but the last). An exception of the body is rethrown.
void parallel_ranges(
    std::int64_t count,
    std::int64_t grain,
    const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace moft::kernels
