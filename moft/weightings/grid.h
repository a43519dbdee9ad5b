// Covers of the simplex, for sweeps and evaluations.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include "moft/weightings/weighting.h"

namespace moft {

// Every weighting whose values are multiples of 1 / divisions, ordered by the
// first value rising, then the second, ..: C(divisions + m - 1, m - 1) points.
// CallerError when divisions or objectives is 0 or the cover would exceed
// 1,000,000 points.
std::vector<Weighting> simplex_lattice(
    std::size_t objectives, std::size_t divisions);

// At least `count` weightings spread evenly, ordered as above.
//   one objective:   the only weighting there is.
//   two objectives:  exactly count points, 0, 1/(count-1), .., 1 for the
//                    first objective.
//   three and more:  the coarsest simplex lattice with at least count points.
// count = 1 gives the uniform weighting alone. CallerError when count is 0.
std::vector<Weighting> simplex_cover(std::size_t objectives, std::size_t count);

}  // namespace moft
