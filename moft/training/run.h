// A training run from its first step, or from a checkpoint, to the published
// policy: steps, logs, guards, checkpoints, evaluation while training. The
// mathematics is OnlineTrainer's; this is all that happens around it.
//
// A run that is killed at any moment and resumed from its newest checkpoint
// ends with the same policy, to the bit, and the same logs but for the times
// in them (same machine, same number of threads).
//
// A policy that was in a guard's alarm when training ended is published with a
// loud warning, in its model card too; but it never takes the place of one that
// the run published before.
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moft/training/checkpoint.h"
#include "moft/training/guards.h"
#include "moft/training/online.h"
#include "moft/training/progress.h"
#include "moft/training/run_setup.h"
#include "moft/training/run_store.h"
#include "moft/training/step_failure.h"

namespace moft {

class TrainingRun {
 public:
  // policy and trainer outlive the run. `resume`: where to go on from; none:
  // from the start, on a directory without logs.
  TrainingRun(
      RunSetup setup,
      SteeredPolicy& policy,
      OnlineTrainer& trainer,
      const std::optional<Checkpoint>& resume);

  // Trains, then publishes the policy. WorldError when a guard stops the run.
  RunOutcome run();

 private:
  RunPlace place() const;
  void one_step();
  void note_ties(const StepResult& result);
  void evaluate(StepResult& result) const;
  void save_when_due();
  void save();
  [[noreturn]] void throw_guarded(
      std::int64_t step, const std::string& reason) const;
  void require_finite();
  // None: the run did not end in alarm.
  std::optional<std::string> end_in_alarm() const;
  void publish();

  SteeredPolicy& policy_;
  OnlineTrainer& trainer_;
  Guards guards_;
  RunStore store_;
  Progress progress_;
  std::int64_t ties_ = 0;  // steps in a row whose rewards did not vary
};

}  // namespace moft
