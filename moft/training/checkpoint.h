// Checkpoints: everything that a run needs to continue to the same bits.
//
//   checkpoints/step-12/
//     steering.safetensors   the masters, as a policy directory has them
//     optimizer.safetensors  moments and step counters of every master
//     sampler.safetensors    the sampler of steerings, if it keeps a state
//     rewards.safetensors    running moments of the rewards, if there are any
//     value.safetensors, value_optimizer.safetensors
//                            the same of the value network, if there is one
//     best.safetensors       the masters of the lowest held-out loss, where a
//                            run may stop early
//     recipe.yaml            the effective recipe that wrote it
//     state.json             CheckpointState, with the hashes of the others
//
// N ranks write the optimizers' state in shards, each its own
// (optimizer-1-of-2.safetensors), and so the masters where they share them
// (steering-1-of-2.safetensors); everything else comes from rank 0. state.json
// is the manifest: written last, it names every file with its hash. Any number
// of ranks may resume from it.
//
// Random numbers need no state: every stream is named by (seed, purpose, step,
// row). Base weights are not copied; their hash is kept. A checkpoint is made
// under a temporary name, flushed to the disk and renamed, so one that has its
// name is complete.
//
// Errors: CallerError for files that do not fit or are damaged; WorldError for
// the disk, whose room is checked first.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/distributed/group.h"
#include "moft/training/guards.h"
#include "moft/training/metrics_writer.h"
#include "moft/training/trainer.h"

namespace moft {

// 2: hashes of the files, of configurations and of tokenizers. 3: shards of
// several ranks; a process alone writes 2. 4: masters in shards too, where
// ranks share them.
inline constexpr std::int64_t kCheckpointFormatVersion = 4;
// More are not believed.
inline constexpr std::int64_t kMostRanks = 4096;

// state.json.
struct CheckpointState {
  std::int64_t format_version = 2;
  std::int64_t ranks = 1;     // that wrote shards
  std::int64_t step = 0;      // finished steps
  std::int64_t epoch = 0;     // of the shuffler
  std::int64_t position = 0;  // examples of the epoch handed out
  LogLengths logs;
  GuardState guards;
  std::string device;
  std::int64_t threads = 1;
  std::string recipe_hash;
  std::map<std::string, std::string> input_hashes;
  std::map<std::string, std::string> file_hashes;  // of the tensors' files

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of the checkpoint's format"},
      between(1, kCheckpointFormatVersion));
    v("ranks", ranks, Help{"that wrote shards"}, between(1, kMostRanks));
    v("step", step, Help{"finished steps"}, at_least(1));
    v("epoch", epoch, Help{"of the shuffler"}, between(0, 4e9));
    v("position", position, Help{"examples handed out"}, at_least(0));
    v("metrics_bytes", logs.metrics, Help{"metrics.jsonl"}, at_least(0));
    v("samples_bytes", logs.samples, Help{"samples.jsonl"}, at_least(0));
    v("events_bytes", logs.events, Help{"TensorBoard's file"}, at_least(0));
    v("kl_steps", guards.kl_steps, Help{"KL above its ceiling"}, at_least(0));
    v("collapse_steps",
      guards.collapse_steps,
      Help{"completions too much alike"},
      at_least(0));
    v("device", device, Help{"where it was computed"});
    v("threads", threads, Help{"on the CPU"}, at_least(1));
    v("recipe_hash", recipe_hash, Help{"of recipe.yaml beside it"});
    v("input_hashes",
      input_hashes,
      Help{"models, tokenizers, examples, encoders"});
    v("file_hashes", file_hashes, Help{"the tensors' files beside it"});
  }
};

struct Checkpoint {
  std::filesystem::path directory;
  CheckpointState state;
  std::string recipe;                          // YAML
  std::vector<std::filesystem::path> damaged;  // newer ones, to be set aside
};

// <run>/checkpoints.
std::filesystem::path checkpoints_of(const std::filesystem::path& run);

// By rising step; a folder not called step-<number>, or without any of a
// checkpoint's files, is not one.
std::vector<std::filesystem::path> list_checkpoints(
    const std::filesystem::path& run);

// True for a folder with a state.json of moft's, damaged or not.
bool is_checkpoint(const std::filesystem::path& directory);

// All the files of a checkpoint but the one that marks it.
bool has_lost_its_state(const std::filesystem::path& directory);

// Those that is_checkpoint holds for, and damaged ones that were set aside.
std::vector<std::filesystem::path> list_own_checkpoints(
    const std::filesystem::path& run);

// The files of a checkpoint that are there, state.json last.
std::vector<std::filesystem::path> files_of_checkpoint(
    const std::filesystem::path& directory);

// Reads state and recipe and checks them against each other, and that the state
// names the files of a checkpoint and no others.
Checkpoint read_checkpoint(const std::filesystem::path& directory);

// The same, and checks every tensor's file: its hash, where the checkpoint has
// one, else its structure. CallerError for anything missing or damaged.
Checkpoint read_intact_checkpoint(const std::filesystem::path& directory);

// The newest of a run that is intact. Those that are newer and damaged are
// warned of and listed in `damaged`. None without any checkpoint; CallerError
// when all are damaged.
std::optional<Checkpoint> newest_intact_checkpoint(
    const std::filesystem::path& run);

// Writes <run>/checkpoints/step-<state.step>, replacing one of that step.
// Fills in step, cursor, ranks and hashes. Returns its path.
//
// Every rank of the group (none: a process alone) calls it, on a file system
// that all of them see; only the optimizers' state is taken from the ranks but
// the first, and masters in parts. It fails on all ranks or on none.
std::filesystem::path save_checkpoint(
    const std::filesystem::path& run,
    const TrainerState& trainer,
    CheckpointState state,
    const std::string& recipe,
    Group* group = nullptr);

// Reads every file: what the trainer has to be restored to. Masters and the
// optimizers' state, of all ranks, are not copied from the files and must not
// be written to.
TrainerState load_checkpoint(const Checkpoint& checkpoint);

// Renames a damaged checkpoint to step-<n>-damaged, which is not listed.
void set_aside(const std::filesystem::path& checkpoint);

// Removes those of later steps than `step`: a run resumed from an older
// checkpoint redoes the later steps.
void remove_later_checkpoints(
    const std::filesystem::path& run, std::int64_t step);

// Removes all but the newest `keep`.
void remove_old_checkpoints(
    const std::filesystem::path& run, std::int64_t keep);

}  // namespace moft
