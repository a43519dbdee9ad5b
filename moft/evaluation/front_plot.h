// The picture of the front: rewards against rewards.
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

}  // namespace moft
