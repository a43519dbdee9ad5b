// The loss to a rival at every weighting as bars: figure 4 of the paper
// (arXiv 2407.15762) with its sign put right.
//
// Thread safety: pure.
#pragma once

#include <string>

#include "moft/evaluation/front.h"

namespace moft {

// One row per common weighting in the order of the knob: its shares, and the
// bar (V_rival - V_policy) / |V_rival|, to the left of 0 where the policy is
// better. Empty where the two have no bar. `id` is unique on the page.
std::string bars_svg(
    const Report& report, const ComparedPair& pair, const std::string& id);

}  // namespace moft
