// Oracles of docs/paper.md's rows 28, 40 to 42 and 68: the size of a policy,
// the words that name a weighting, the ranges of rewards.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_policies(OracleBook& book);

}  // namespace moft::exact
