// Slurm's short forms for lists: hosts ("node[01-03,7],x") and counts per host
// ("2(x3),1").
//
// Source: `man scontrol`, "show hostnames"; `man srun`,
// SLURM_STEP_TASKS_PER_NODE.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

// The hosts of a list, in its order. A number keeps the digits of the range's
// first one ("[08-10]" is 08, 09, 10); with several brackets in one name the
// last one runs fastest. At most 65,536 hosts. Throws CallerError that names
// `place` for an empty list, empty names, brackets that do not close and
// ranges that run backwards.
std::vector<std::string> expand_hosts(
    std::string_view list, const std::string& place);

// One count for each host, in the order of the hosts: "2(x3),1" is 2, 2, 2, 1.
// At most 65,536. Throws CallerError that names `place`.
std::vector<std::int64_t> expand_counts(
    std::string_view list, const std::string& place);

}  // namespace moft
