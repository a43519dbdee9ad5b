// A finetuning run from its first step, or from a checkpoint, to the ordinary
// Hugging Face directory that it makes: steps, held-out loss, logs,
// checkpoints. The mathematics is SftTrainer's.
//
// The run directory is that of `moft train` (run_directory.h), with `model/`
// in the place of `policy/`. A run that is killed at any moment and resumed
// from its newest checkpoint ends with the same model, to the bit (same
// machine, same number of threads).
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "moft/training/run_setup.h"
#include "moft/training/run_store.h"
#include "moft/training/sft/trainer.h"
#include "moft/training/step_failure.h"

namespace moft {

// setup.base_path: where the tokenizer's files are. setup.card and
// setup.on_evaluate are not used.
class SftRun {
 public:
  // policy and trainer outlive the run. `resume`: where to go on from; none:
  // from the start, on a directory without logs.
  SftRun(
      RunSetup setup,
      SteeredPolicy& policy,
      SftTrainer& trainer,
      const std::optional<Checkpoint>& resume);

  // Trains, then writes the model. Outcome's `policy` is its directory.
  RunOutcome run();

 private:
  bool done() const;
  RunPlace place() const;
  StepResult step_and_evaluate();
  void one_step();
  void save();
  void print(const StepResult& result) const;
  void publish();

  SteeredPolicy& policy_;
  SftTrainer& trainer_;
  RunStore store_;
  std::int64_t first_step_ = 0;  // finished before this process began
  std::chrono::steady_clock::time_point start_;
};

}  // namespace moft
