// ENUM-1 with real models of both families: what holds before any training.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_enum_policy(OracleBook& book);

}  // namespace moft::exact
