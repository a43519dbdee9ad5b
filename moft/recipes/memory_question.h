// The memory estimate of a recipe (training/memory_estimate.h): asked in one
// place by what checks a recipe before it runs and by what plans it.
//
// Thread safety: pure functions.
#pragma once

#include <optional>

#include "moft/models/load.h"
#include "moft/recipes/recipe.h"
#include "moft/training/memory_estimate.h"

namespace moft {

struct QuestionModels {
  ModelShape policy;
  std::optional<ModelShape> value;          // none: the policy's
  std::optional<std::int64_t> block_bytes;  // as MemoryQuestion's
};

// Bytes of a quantised file whose blocks are multiplied as they are; none for
// other files.
std::optional<std::int64_t> block_bytes_of(const LoadedModel& model);

// In one process. `longest`: tokens of the longest prompt.
MemoryQuestion memory_question(
    const Recipe& recipe,
    const QuestionModels& models,
    std::int64_t longest,
    at::Device device);

}  // namespace moft
