// The weighting as words in the prompt (CLP, appendix A.2):
//
//   factuality: 0.4 0.4 0.4 0.4 0.4; rouge: 0.6 0.6 0.6 0.6 0.6.
//
// Weights alone, never the KL strength. A weight is written in the shortest
// decimals of its value rounded to hundredths, at least one of them: 0.4,
// 0.33, 1.0.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/weightings/weighting.h"

namespace moft {

// "0.4", "0.33", "1.0".
std::string prompt_number(double weight);

// The name of each objective in the prefix, in their order. Throws CallerError,
// beginning with `place`, for a name given to an unknown objective.
std::vector<std::string> prompt_names(
    const PromptConditioningOptions& options,
    const std::vector<std::string>& objectives,
    const std::string& place);

// The prefix without the space that follows it. `names` in the weighting's
// order.
std::string prompt_prefix(
    const std::vector<std::string>& names,
    const Weighting& w,
    std::int64_t repetitions);

}  // namespace moft
