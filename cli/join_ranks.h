// From the variables of a launcher to the group of a run
// (docs/distributed.md).
//
// Thread safety: one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "moft/distributed/distributed_options.h"
#include "moft/distributed/group.h"
#include "moft/distributed/launch.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/run_inputs.h"

#include "cli/run_output.h"

namespace moft {

// Meets the other ranks, which must be about to make the same run: the same
// build, recipe (effective, as YAML) and kind of device. CallerError names what
// differs; WorldError for ranks that do not come, and when this process is
// asked to stop meanwhile. A process alone is a group of one.
std::unique_ptr<Group> join_ranks(
    const Launch& launch,
    const std::string& recipe,
    const Compute& compute,
    const DistributedOptions& options);

// Ranks of one machine share its cores, unless the recipe or OMP_NUM_THREADS,
// which torchrun sets, says how many threads each has.
ComputeOptions share_cores(ComputeOptions options, const Launch& launch);

// Every rank calls it before anything else is exchanged. CallerError on every
// rank names the first input that differs.
void compare_inputs(Group& group, const InputHashes& hashes);

// Rank 0 locks the output for the whole job and opens it (open_output); the
// other ranks read the checkpoint that it found. An error of rank 0's is every
// rank's: "another moft process is training there".
struct OpenedOutput {
  std::unique_ptr<RunLock> lock;  // rank 0's
  std::optional<Checkpoint> resume;
};
OpenedOutput open_for_all(
    Group& group,
    const OutputFlags& flags,
    const RunOutput& output,
    const RunPlan& plan);

}  // namespace moft
