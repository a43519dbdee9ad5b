// What a finished run cost, from what it left on the disk.
//
// Thread safety: pure apart from reading files.
#pragma once

#include "moft/evaluation/front.h"
#include "moft/recipes/evaluated_run.h"

namespace moft {

// Answers from the policy's moft.json (of a soup, those of all its runs);
// seconds and gradient tokens from metrics.jsonl up to the policy's last step,
// where each of these steps has its line. A number without a record stays
// absent. CallerError for a line that is not a JSON object.
RunCost read_run_cost(const EvaluatedRun& run);

}  // namespace moft
