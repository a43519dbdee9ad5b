// Volumes below a front, all objectives maximised (metrics.h).
//
// Errors: CallerError when sizes disagree or a number is not finite.
// Thread safety: pure.
#pragma once

#include "moft/evaluation/metrics.h"

namespace moft {

// Hypervolume (Zitzler and Thiele, 1999): the volume of the union of the boxes
// [reference, point]. Points not above the reference in every coordinate add
// nothing. Exact for every m, by slicing along the last objective; meant for
// m <= 4 and K up to some hundreds.
double hypervolume(const Rows& points, const Row& reference);

// Volume above the reference and below the convex coverage of the points: all
// vectors that randomised choices among the policies reach or exceed, i.e.
// {x >= reference : w.x <= max_k w.p_k for all w >= 0}. Exact for m <= 3.
double hull_hypervolume(const Rows& points, const Row& reference);

}  // namespace moft
