// The slices of a step (gradient_accumulation), where several ranks share them
// and where a resumed run has others.
//
// Thread safety: plain functions.
#pragma once

#include <string>

#include "moft/training/ranks.h"
#include "moft/training/update_options.h"

namespace moft {

// Fits the slices to the ranks (slices_of_ranks) and logs them. `section` is
// the recipe's ("training").
void share_slices(
    UpdateOptions& options,
    const StepItems& items,
    int ranks,
    const std::string& section);

// Says it where a resumed run has another number of them than before.
void log_other_slices(
    const UpdateOptions& before,
    const UpdateOptions& now,
    const std::string& section);

}  // namespace moft
