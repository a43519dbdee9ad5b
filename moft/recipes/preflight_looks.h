// The checks of preflight.h on memory, and on end tokens written in the data.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/data/example.h"
#include "moft/models/load.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/recipe.h"
#include "moft/training/memory_estimate.h"

namespace moft {

// Bytes that this process can still take: the least of what the system has
// without swapping, what a container's limit (cgroup v2) and what the limit of
// address space leave. None where the system does not say.
std::optional<std::int64_t> available_memory();

// Notes the estimate (training/memory_estimate.h) beside what is free, and
// warns when it is more. CallerError as estimate_memory().
void look_at_memory(
    Findings& findings, const MemoryQuestion& question, DeviceChoice device);

// Warns of completions whose fields hold an end token's text, where it is only
// letters.
void look_at_written_ends(
    Findings& findings,
    const std::string& completion_template,
    const std::vector<Example>& examples,
    const LoadedModel& model,
    const Tokenizer& tokenizer);

}  // namespace moft
