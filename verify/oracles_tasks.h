// Oracles of the exactly solvable tasks: counterexample, bandits, gradient
// estimators, ENUM-1.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_counterexample(OracleBook& book);
void verify_bandits(OracleBook& book);
void verify_estimators(OracleBook& book);
void verify_enum_task(OracleBook& book);

}  // namespace moft::exact
