// What a run needs of memory, and which texts its rewards cannot read whole:
// the looks of preflight.h that are about size.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/data/example.h"
#include "moft/models/load.h"

#include "cli/preflight.h"
#include "cli/recipe.h"

namespace moft {

// Bytes that the system can give without swapping; none where it does not say
// (/proc/meminfo of Linux).
std::optional<std::int64_t> available_memory();

// Notes the estimate (training/memory_estimate.h) beside what is free, and
// warns when it is more. `prompt_tokens`: the longest prompt kept.
void look_at_memory(
    Findings& findings,
    const Recipe& recipe,
    const LoadedModel& base,
    std::int64_t prompt_tokens);

// Warns of examples whose field is longer than the window of the encoder that
// compares answers with it.
void look_at_long_texts(
    Findings& findings,
    const Recipe& recipe,
    const std::vector<Example>& examples);

}  // namespace moft
