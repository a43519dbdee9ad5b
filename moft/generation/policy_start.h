// A trained policy as the start of another training: its copies, by the names
// of their objectives.
//
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"

namespace moft {

// The policy directory that a path means: the path itself, RUN/policy of a run
// directory, or the policy that contains a file of weights; none if that is not
// a trained policy.
std::optional<std::filesystem::path> trained_policy_at(
    const std::filesystem::path& path);

// The file of a policy directory that holds its copies.
std::filesystem::path steering_file_of(const std::filesystem::path& policy);

// Which objectives' copies were taken.
struct PolicyStart {
  std::vector<std::string> taken;
  std::vector<std::string> at_reference;  // the start does not know them
  std::vector<std::string> left_out;      // `policy` does not know them
  // What the start was trained under and `policy` is not, as sentences; the
  // copies are taken all the same.
  std::vector<std::string> remarks;
};

// What start_from_policy() would do to a policy of this definition; reads no
// numbers. CallerError as there.
PolicyStart plan_start(
    const PolicyDefinition& now, const std::filesystem::path& start);

// Reads the copies in `start`, a policy directory, into `policy`, whose other
// copies stay as they are, and parameters common to all weightings too.
// Nothing but the masters changes: the reference stays the base.
// CallerError when the two have other base weights or another configuration,
// steer another set or share no objective, or the file is damaged; then nothing
// was read.
PolicyStart start_from_policy(
    SteeredPolicy& policy, const std::filesystem::path& start);

}  // namespace moft
