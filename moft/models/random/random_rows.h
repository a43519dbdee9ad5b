// Rows of a parameter that starts at random.
//
// Each row of a matrix has a random stream of its own, (seed, kInitialise,
// tensor, row), so the weights do not depend on threads or order of reading.
//
// Thread safety: what is returned may be called from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "moft/kernels/packed_matrix.h"
#include "moft/models/random/options.h"

namespace moft {

// Tensors of models count from here, so that adapters and value heads, which
// have small numbers, never share a stream with the model under them.
inline constexpr std::uint32_t kFirstTensor = std::uint32_t{1} << 31;

// Drawn when they are asked for.
kernels::ReadRows random_rows(
    std::uint64_t seed,
    std::uint32_t tensor,
    const InitialSpread& spread,
    const std::vector<std::int64_t>& shape);

}  // namespace moft
