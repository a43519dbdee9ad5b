// From a recipe's objectives to rewards that can be computed.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "moft/rewards/objectives.h"
#include "moft/rewards/reward_options.h"

namespace moft {

// Builds what a recipe's `objectives` say, in their (alphabetical) order.
// Relative paths are relative to `base`; encoders are loaded once per directory
// and run on `device` with ATen's threads. Throws CallerError as
// check_objectives and the kinds do.
ObjectiveSet make_objectives(
    const Objectives& options,
    const std::filesystem::path& base,
    at::Device device = at::kCPU);

}  // namespace moft
