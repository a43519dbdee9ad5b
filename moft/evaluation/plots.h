// The pictures of a report, each a function from a Report to SVG text.
//
// The reports must be complete (summarise.h). Every picture has a title and a
// description; the page shows a table with the same numbers beside them.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// The weights as they label points: "0.2 / 0.3 / 0.5". Of a single objective,
// whose weight is always 1, alpha.
std::string weighting_label(
    const FrontPoint& point, const std::vector<std::string>& objectives);

// Mean rewards of objectives x and y with intervals on both axes, the
// reference policy, and the baselines. With two objectives neighbours along
// the knob are joined and labelled with the weight of the first objective.
std::string front_svg(
    const Report& report,
    std::size_t x = 0,
    std::size_t y = 1,
    bool standalone = false);

// Two objectives: rewards, KL, value and answer length against the weight of
// the first objective, with interval bands; one picture each.
std::vector<std::string> knob_svgs(const Report& report);

// Reward of objective i against its own weight; of a single objective against
// alpha.
std::string own_weight_svg(const Report& report, std::size_t i);

// Any number of objectives and weightings: one row per weighting with its
// shares, every reward with its interval, and the KL.
std::string rows_svg(const Report& report);

// Rewards, KL, entropy and length while training; empty without rows.
std::vector<std::string> training_svgs(const Report& report);

}  // namespace moft
