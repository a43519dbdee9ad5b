// Oracles of the exactly solvable tasks: counterexample, bandits, gradient
// estimators, ENUM-1; and of docs/paper.md's rows 84, 118 to 127: softmdp
// against linear mixing on bandits with one reward, the lemmas, the bounds of
// the theorems and the corrected bound.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_tasks(OracleBook& book);

}  // namespace moft::exact
