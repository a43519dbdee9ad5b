// What a finished step reports: metrics and samples.
//
// Thread safety: pure function.
#pragma once

#include <string>
#include <vector>

#include "moft/training/experience.h"
#include "moft/training/trainer.h"

namespace moft {

// Adds to result.metrics and samples; reads result.times. `names`: of the
// objectives.
void report_step(
    const Experience& experience,
    const std::vector<std::string>& names,
    StepResult& result);

}  // namespace moft
