// The picture of many weightings: a row for each.
//
// Thread safety: pure.
#pragma once

#include <string>

#include "moft/evaluation/front.h"

namespace moft {

// Any number of objectives and weightings: one row per weighting with its
// shares, every reward with its interval, and the KL. REQUIRES a complete
// report (summarise.h).
std::string rows_svg(const Report& report);

}  // namespace moft
