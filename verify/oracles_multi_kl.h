// Oracles of docs/paper.md's row 84: softmdp against linear mixing on bandits
// with one reward.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_multi_kl(OracleBook& book);

}  // namespace moft::exact
