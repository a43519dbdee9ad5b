// What the first update of an experience need not compute again.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "moft/conditioning/conditioning.h"
#include "moft/training/score_part.h"
#include "moft/training/step_parts.h"

namespace moft {

// Work that the rollout and the scoring of the first part do with gradient, so
// that the first differentiate() of the whole batch need not repeat it. Every
// stage works without it and gives the same numbers up to rounding. Serves one
// differentiate(), before the parameters change.
class FirstPass {
 public:
  // Begins the gradient of the first part where all prompts are one.
  FirstPass(Conditioning& conditioning, const Draw& draw, StepPlan step);

  StepPlan plan;
  bool one_part = false;    // the whole batch is computed at once
  bool keep_graph = false;  // of the prompts, in the rollout
  bool begun = false;       // the conditioning's gradient of the first part
  std::shared_ptr<const PromptGraph> prompt_graph;  // of the rollout
  std::vector<StepPart> parts;                      // of the whole batch
  PolicyScores policy;  // of the first part, with gradient
};

}  // namespace moft
