// Remarks on baselines.
//
// Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// What differs between a baseline and this policy (base model, template,
// temperature, alpha, training), and the paper's dominance, tested weighting by
// weighting on the same prompts. Both sides' values count the KL at this
// policy's alpha, each to its own reference.
std::vector<std::string> baseline_notes(const Report& report);

}  // namespace moft
