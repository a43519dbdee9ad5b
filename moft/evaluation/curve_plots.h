// Pictures of curves: figures against weights, and against training steps.
//
// The reports must be complete (summarise.h). Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// Two objectives: rewards, KL, value and answer length against the weight of
// the first objective, with interval bands; one picture each.
std::vector<std::string> knob_svgs(const Report& report);

// Reward of objective i against its own weight; of a single objective against
// alpha.
std::string own_weight_svg(const Report& report, std::size_t i);

// Rewards, KL, entropy and length while training; empty without rows.
std::vector<std::string> training_svgs(const Report& report);

}  // namespace moft
