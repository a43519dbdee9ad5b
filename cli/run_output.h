// Where a run writes and what it resumes from: `--output`, `--resume` and
// `--overwrite` of the commands that train.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/fields.h"
#include "moft/generation/policy_options.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/run_inputs.h"
#include "moft/training/checkpoint.h"
#include "moft/training/run.h"
#include "moft/training/run_directory.h"

#include "cli/parser.h"

namespace moft {

struct OutputFlags {
  std::string resume;  // empty: not given
  std::string output;  // empty: the recipe's
  bool overwrite = false;
};

void add_output_flags(Parser& parser, OutputFlags& flags);

struct RunOutput {
  std::string directory;
  std::optional<std::filesystem::path> checkpoint;  // to resume from
};

// The directory, and the checkpoint where --resume names one. CallerError for
// flags that contradict each other and a --resume without a checkpoint.
RunOutput choose_output(
    const OutputFlags& flags, const std::string& of_the_recipe);

// The run that is to be made, and the paths that it reads by their keys.
struct RunPlan {
  RunKind kind = RunKind::kTrain;
  std::vector<std::pair<std::string, std::string>> inputs;
};

// Every path of a recipe is an input but its output.
template <class R>
RunPlan plan_of(RunKind kind, R& recipe) {
  RunPlan plan{kind, {}};
  for_each_path(recipe, [&](const std::string& key, const std::string& path) {
    if (key != "output") plan.inputs.emplace_back(key, path);
  });
  return plan;
}

// Every path of a recipe as the run directory keeps it: readable from anywhere.
template <class R>
void make_paths_absolute(R& recipe) {
  for_each_path(recipe, [](const std::string&, std::string& path) {
    path = std::filesystem::absolute(path).lexically_normal().string();
  });
}

// CallerError when the directory holds what the run must not touch: a run of
// another kind (unless it is to be overwritten), a run that is neither to be
// resumed nor overwritten, an input among the files to be overwritten, or
// something of the run's names that moft did not write. Changes nothing.
void check_output(
    const OutputFlags& flags, const RunOutput& output, const RunPlan& plan);

// CallerError naming what is in the way of a run of `kind`.
void refuse_things_in_the_way(
    const std::filesystem::path& directory, RunKind kind);

// To be called once the directory is locked: checks it again, finds the
// newest intact checkpoint of --resume and reads it. A run of this kind that
// has neither a checkpoint nor a product begins again.
std::optional<Checkpoint> open_output(
    const OutputFlags& flags, const RunOutput& output, const RunPlan& plan);

// With --overwrite removes the run that is there. To be called when everything
// that the new run reads has been read and found good.
void clear_output(const OutputFlags& flags, const RunOutput& output);

// The recipe that wrote a checkpoint.
template <class T>
T recipe_of(const Checkpoint& checkpoint) {
  T recipe;
  read_options(
      recipe,
      checkpoint.recipe,
      (checkpoint.directory / "recipe.yaml").string());
  return recipe;
}

[[noreturn]] void throw_other_recipe(
    const Checkpoint& checkpoint, const std::string& key);

// True for a key that two recipes of the same result may differ in: those of
// the header that change no number, and `keys`, each with its children.
bool is_free_key(std::span<const char* const> keys, const std::string& key);

// Throws CallerError for the first key that differs but must not. Paths may
// differ, because check_same_inputs() compares what they name.
template <class T>
void check_same_options(
    const Checkpoint& checkpoint,
    const T& before,
    const T& now,
    std::span<const char* const> free_keys) {
  std::set<std::string> paths = path_keys(before);
  paths.merge(path_keys(now));
  for (const std::string& key : differing_options(before, now)) {
    if (!is_free_key(free_keys, key) && !paths.contains(key))
      throw_other_recipe(checkpoint, key);
  }
}

// CallerError unless both start from the same objectives' copies, and from an
// adapter or none. What the paths name is compared by check_resumed().
void check_same_start(
    const Checkpoint& checkpoint,
    const PolicyOptions& before,
    const PolicyOptions& now);

// `section`: of `steps` and `schedule` ("training").
struct StepsChange {
  std::string section;
  std::int64_t before = 0;
  std::int64_t now = 0;
  ScheduleShape schedule = ScheduleShape::kConstant;
};
// CallerError when the learning rate so far would have been another, or when
// more steps are finished.
void check_steps(const Checkpoint& checkpoint, const StepsChange& change);

void log_resumed(const Checkpoint& resume);

// CallerError when anything that a resumed run reads has changed; a warning
// where only the machine has. Checkpoints of format 1 know less of it; what
// they do not know is taken as unchanged, with a warning.
void check_resumed(
    const std::optional<Checkpoint>& resume,
    const InputHashes& hashes,
    const Compute& compute);

// Says how to resume a run that was stopped; returns the exit code.
int print_stopped(const RunOutcome& outcome, const std::string& command);

}  // namespace moft
