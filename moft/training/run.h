// A run of any trainer, from its first step or from a checkpoint to the policy
// or model that it publishes: steps, logs, progress, guards, checkpoints,
// evaluation. The mathematics is the trainer's.
//
// A run that is killed at any moment and resumed from its newest checkpoint
// ends with the same product, bit for bit, and the same logs but for the times
// in them (same machine, same number of threads).
//
// Over several ranks every process makes the same run; rank 0 alone logs and
// writes. They stop together, after a step.
//
// What was in a guard's alarm when training ended is published with a loud
// warning; but it never takes the place of what the run published before.
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "moft/training/checkpoint.h"
#include "moft/training/guards.h"
#include "moft/training/metrics_writer.h"
#include "moft/training/publisher.h"
#include "moft/training/run_setup.h"
#include "moft/training/step_failure.h"
#include "moft/training/trainer.h"

namespace moft {

// What a run does with its directory: the recipe and the logs from the start,
// checkpoints on the way, resuming from one.
class RunStore {
 public:
  // Touches nothing on the disk.
  explicit RunStore(RunSetup setup) : setup_(std::move(setup)) {}

  // To be called once the trainer is restored: clears what killed processes
  // left behind, cuts the logs to where `resume` was in them, writes the
  // recipe, sets damaged checkpoints aside and drops those of later steps.
  // objectives, log_samples: as MetricsWriter's.
  void open(
      const std::optional<Checkpoint>& resume,
      std::vector<std::string> objectives,
      std::optional<std::int64_t> log_samples);

  void save(const TrainerState& trainer, const GuardState& guards);
  // Whether `step` is later than the newest checkpoint.
  bool unsaved(std::int64_t step) const { return step > saved_step_; }

  // WorldError when a file that the run was started with has changed. Cheap:
  // to be called before every step and before anything is published.
  void check_inputs() { setup_.watch.check(); }

  // Whether any rank is asked to stop. Every rank asks after the same steps.
  bool stop_requested() const;
  // This process logs and writes.
  bool writes() const { return !setup_.group || setup_.group->rank() == 0; }
  const RunSetup& setup() const { return setup_; }
  // REQUIRES open() and writes().
  MetricsWriter& logs() { return *logs_; }
  const std::optional<std::filesystem::path>& newest() const { return newest_; }

 private:
  RunSetup setup_;
  std::optional<MetricsWriter> logs_;
  std::optional<std::filesystem::path> newest_;
  std::int64_t saved_step_ = 0;
};

// One line per step on standard error:
//
//   step=12/40 reward=0.531 kl=4.21 rollout=40% policy=38% time_left=3 min 05 s
//
// with the figures that the trainer names (RunOptions).
class Progress {
 public:
  // steps: of the whole run; `done` of them are finished.
  Progress(
      std::vector<ProgressFigure> figures,
      std::int64_t steps,
      std::int64_t done);

  void print(const StepResult& result) const;

 private:
  std::vector<ProgressFigure> figures_;
  std::int64_t steps_;
  std::int64_t first_;  // steps finished before this process began
  std::chrono::steady_clock::time_point start_;
};

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
  bool done() const {
    return trainer_.finished_steps() >= options_.steps ||
           trainer_.stopped_early();
  }
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
  // What rank 0 does; its error is every rank's.
  void on_first(const std::function<void()>& work) const;

  Trainer& trainer_;
  Publisher& publisher_;
  RunOptions options_;
  Guards guards_;
  TieNotes ties_;
  RunStore store_;
  Progress progress_;
};

}  // namespace moft
