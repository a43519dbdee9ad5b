// Pictures of the front: rewards against rewards, and a row for each weighting.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>

#include "moft/evaluation/front.h"

namespace moft {

// Mean rewards of objectives x and y with intervals on both axes, the
// reference policy, and the baselines. With two objectives neighbours along
// the knob are joined and labelled with the weight of the first objective.
// Empty for a single objective. REQUIRES a complete report (summarise.h).
std::string front_svg(
    const Report& report,
    std::size_t x = 0,
    std::size_t y = 1,
    bool standalone = false);

// Any number of objectives and weightings: one row per weighting with its
// shares, every reward with its interval, and the KL. REQUIRES a complete
// report (summarise.h).
std::string rows_svg(const Report& report);

}  // namespace moft
