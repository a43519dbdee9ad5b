// All oracles of `moft verify`, in the order in which it prints them. None of
// the groups takes more than some seconds.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_exact(OracleBook& book);

}  // namespace moft::exact
