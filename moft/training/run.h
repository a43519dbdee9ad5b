// A run of any trainer, from its first step or from a checkpoint to the policy
// or model that it publishes: steps, logs, progress, guards, checkpoints,
// evaluation. The mathematics is the trainer's.
//
// A run that is killed at any moment and resumed from its newest checkpoint
// ends with the same product, bit for bit, and the same logs but for the times
// in them (same machine, same number of threads).
//
// What was in a guard's alarm when training ended is published with a loud
// warning; but it never takes the place of what the run published before.
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moft/training/checkpoint.h"
#include "moft/training/guards.h"
#include "moft/training/progress.h"
#include "moft/training/publisher.h"
#include "moft/training/run_setup.h"
#include "moft/training/run_store.h"
#include "moft/training/step_failure.h"
#include "moft/training/trainer.h"

namespace moft {

class Run {
 public:
  // trainer and publisher outlive the run. `resume`: the checkpoint to continue
  // from; none: from the start, on a directory without logs.
  Run(RunSetup setup,
      Trainer& trainer,
      Publisher& publisher,
      const std::optional<Checkpoint>& resume);

  // Trains, then publishes. WorldError when a guard stops the run.
  RunOutcome run();

 private:
  bool done() const { return trainer_.finished_steps() >= options_.steps; }
  RunPlace place() const;
  std::filesystem::path product() const;
  void restore(const Checkpoint& checkpoint);
  void one_step();
  void evaluate(StepResult& result) const;
  void save_when_due();
  void save();
  void require_finite();
  // None: the run did not end in alarm.
  std::optional<std::string> end_in_alarm() const;
  void publish();

  Trainer& trainer_;
  Publisher& publisher_;
  RunOptions options_;
  Guards guards_;
  TieNotes ties_;
  RunStore store_;
  Progress progress_;
};

}  // namespace moft
