// What the rewards of a recipe read, looked at before any of them is made: its
// files, and the fields of the examples.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/rewards/reward_options.h"

namespace moft {

// Throws CallerError naming the example and the objective for an example
// without a field that a reward reads.
void check_reward_fields(
    const Objectives& objectives, const std::vector<Example>& examples);

// Throws CallerError naming the objective for files that its kind would refuse.
void check_reward_files(const Objectives& objectives);

// Every file that a reward's numbers depend on; the key is that of the recipe,
// "objectives.relevance.similarity.model".
std::vector<RewardFile> reward_files(const Objectives& objectives);

// What a user should know about these examples, one sentence each. REQUIRES the
// two checks pass.
std::vector<std::string> reward_warnings(
    const Objectives& objectives, const std::vector<Example>& examples);

}  // namespace moft
