// Oracles of docs/paper.md's rows 25, 26, 30 (merges of copies and reference by
// equation 3) and 62 to 64 (Adafactor, advantages).
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_conditioning(OracleBook& book);
void verify_optimizer(OracleBook& book);

}  // namespace moft::exact
