// The run directory: what is in it, whose it is.
//
//   recipe.yaml     the effective recipe, paths made absolute
//   metrics.jsonl   one object per step
//   samples.jsonl   completions with their rewards
//   events.out.tfevents.moft
//   checkpoints/    step-<n>, the last few
//   policy/         what training publishes
//   model/          what supervised finetuning publishes
//   report/         what `moft evaluate` writes
//
// Thread safety: one thread.
#pragma once

#include <filesystem>

namespace moft {

inline constexpr const char* kRecipeFile = "recipe.yaml";
inline constexpr const char* kModelDirectory = "model";

// True when any file of a run is in `directory`.
bool holds_run(const std::filesystem::path& directory);

// Removes a run's own files and nothing else.
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
