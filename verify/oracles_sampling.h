// Oracles of docs/paper.md's rows 44 to 51 and 53: the generator, f_mix and its
// inverse, draws of alpha and of weightings.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_sampling(OracleBook& book);

}  // namespace moft::exact
