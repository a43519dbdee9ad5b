// Oracles of docs/paper.md's rows 103, 131 and 132: hypervolume, indicators of
// fronts, the rule of pairwise judging.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_fronts(OracleBook& book);

}  // namespace moft::exact
