// Which ranks ask for rewards from outside.
//
// Thread safety: pure functions.
#pragma once

#include "moft/rewards/objectives.h"

namespace moft {

// Whether rank 0 asks about all rows: where a source says so, or is asked about
// whole steps. Else each rank asks about its own.
bool asked_by_first_rank(const ObjectiveSet& objectives);

}  // namespace moft
