// Oracles of docs/paper.md's rows 118 to 127: the lemmas, the bounds of the
// theorems and the corrected bound.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_theory(OracleBook& book);

}  // namespace moft::exact
