// A training run from its first step, or from a checkpoint, to the published
// policy: steps, logs, guards, checkpoints, evaluation while training. The
// mathematics is OnlineTrainer's; this is all that happens around it.
//
// A run that is killed at any moment and resumed from its newest checkpoint
// ends with the same policy, to the bit, and the same logs but for the times
// in them (same machine, same number of threads).
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "moft/training/checkpoint.h"
#include "moft/training/guards.h"
#include "moft/training/metrics_writer.h"
#include "moft/training/online.h"
#include "moft/training/progress.h"
#include "moft/training/publish.h"

namespace moft {

// Asked between two steps; true: save and stop.
using StopRequested = std::function<bool()>;

// Evaluates the policy as it stands on held-out prompts. Called after step
// `step` when training.evaluation.every divides it; what it returns joins the
// step's metrics. Must draw its random numbers from the step alone.
using OnEvaluate =
    std::function<std::map<std::string, double>(std::int64_t step)>;

struct RunSetup {
  std::filesystem::path directory;  // exists, locked by the caller
  std::string recipe;               // effective, YAML
  std::map<std::string, std::string> input_hashes;
  std::string device = "cpu";
  std::int64_t threads = 1;
  std::filesystem::path base_path;  // of the base model
  ModelCard card;
  StopRequested stop_requested;  // or null
  OnEvaluate on_evaluate;        // or null: no evaluation while training
};

struct RunOutcome {
  bool finished = false;  // false: stopped on request
  std::int64_t step = 0;
  std::optional<std::filesystem::path> checkpoint;  // the newest
  std::filesystem::path policy;                     // when finished
};

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
  bool stop_requested() const;
  void one_step();
  void evaluate(StepResult& result) const;
  void save_when_due();
  void save();
  [[noreturn]] void throw_guarded(
      std::int64_t step, const std::string& reason) const;
  void publish();

  RunSetup setup_;
  SteeredPolicy& policy_;
  OnlineTrainer& trainer_;
  Guards guards_;
  MetricsWriter logs_;
  Progress progress_;
  std::optional<std::filesystem::path> newest_;
  std::int64_t saved_step_ = 0;
};

}  // namespace moft
