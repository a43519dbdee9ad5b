// Preference optimisation from the policy's own samples (docs/methods/dpo.md);
// its advantages are in moft/training/preference_advantages.h.
#pragma once

#include "moft/algorithms/preference_options.h"
#include "moft/training/algorithms/algorithm.h"

namespace moft {

using OnlineDpoOptions = PreferenceLossOptions;

extern const AlgorithmKind kOnlineDpo;

}  // namespace moft
