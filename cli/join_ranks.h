// From the variables of a launcher to the group of a run
// (docs/distributed.md).
//
// Thread safety: one thread.
#pragma once

#include <memory>
#include <string>

#include "moft/distributed/group.h"
#include "moft/distributed/launch.h"
#include "moft/recipes/run_inputs.h"

namespace moft {

// Which rank of how many this process is. All but rank 0 log nothing from then
// on.
Launch find_launch();

// Meets the other ranks, which must be about to make the same run: the same
// build, recipe (effective, as YAML) and inputs. CallerError names what
// differs. A process alone is a group of one.
std::unique_ptr<Group> join_ranks(
    const Launch& launch, const std::string& recipe, const InputHashes& hashes);

}  // namespace moft
