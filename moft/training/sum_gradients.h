// Gradients of a step's slices, added over the ranks of a group.
//
// Thread safety: as Group's.
#pragma once

#include <vector>

#include "moft/conditioning/gradient_sum.h"
#include "moft/distributed/group.h"

namespace moft {

// The sum over all ranks and their slices, one by one in the order of the
// slices, as one process adds them (conditioning/gradient_sum.h). A rank gives
// its own, which follow those of the rank before it; they are written over.
// Every rank gives equally many slices, at least 1, of equally many sums, float
// on any device. A sum that a slice does not have is left out; one that no
// slice has stays undefined. The result's are flat and on the CPU: put_slice()
// knows their shapes and devices.
GradientSlice sum_over_ranks(Group& group, std::vector<GradientSlice> slices);

}  // namespace moft
