// The run directory: what is in it, whose it is.
//
//   moft_run.json   which command made it
//   recipe.yaml     the effective recipe, paths made absolute
//   metrics.jsonl   one object per step
//   samples.jsonl   completions with their rewards
//   events.out.tfevents.moft
//   checkpoints/    step-<n>, the last few
//   policy/         what training publishes
//   model/          what supervised finetuning and reward training publish
//   report/         what `moft evaluate` writes; report-step-<n>/ of RUN@<n>
//
// A run writes and removes files of these names that moft itself wrote, and
// nothing else: a folder may hold its user's files beside them, in `policy/`
// and the other folders too.
//
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moft {

inline constexpr const char* kRecipeFile = "recipe.yaml";
inline constexpr const char* kRunFile = "moft_run.json";
inline constexpr const char* kPolicyDirectory = "policy";
inline constexpr const char* kModelDirectory = "model";

enum class RunKind { kTrain, kSft, kSoup, kReward, kDpo, kCombine };

// "moft train".
const char* command_of(RunKind kind);
// The folder that a finished run has: "policy" or "model".
const char* product_of(RunKind kind);

// The kind of the run in `directory`; none when there is no run of moft.
// Directories without moft_run.json are recognised by their recipe together
// with a policy, a model, a checkpoint or a log of moft's. CallerError for a
// moft_run.json that cannot be read.
std::optional<RunKind> find_run_kind(const std::filesystem::path& directory);
void write_run_kind(const std::filesystem::path& directory, RunKind kind);

// True when there is a run of moft in `directory`.
bool holds_run(const std::filesystem::path& directory);

// What a run of `kind` would have to write over although no run of moft wrote
// it, relative to `directory`; empty when nothing is in its way.
std::vector<std::filesystem::path> things_in_the_way(
    const std::filesystem::path& directory, RunKind kind);

// The files that `remove_run` removes, in its order: a removal cut short
// leaves a directory that is still recognised.
std::vector<std::filesystem::path> files_of_run(
    const std::filesystem::path& directory);

// Removes a run's own files, and the folders that are empty then. Nothing when
// there is no run of moft.
void remove_run(const std::filesystem::path& directory);

// Keeps other moft processes from writing to a run as long as it lives.
class RunLock {
 public:
  // Makes the directory where it is missing. CallerError when another process
  // holds it or it cannot be written.
  explicit RunLock(const std::filesystem::path& directory);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace moft
