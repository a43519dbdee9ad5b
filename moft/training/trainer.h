// What trains a model, one step after another, as a run sees it.
//
// A run (run.h) does everything that happens around the steps: checkpoints,
// logs, progress, guards, evaluation, publishing. A trainer does the
// mathematics, says how its run goes (RunOptions), and hands over everything
// that its next step depends on (TrainerState).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/data/example.h"
#include "moft/data/shuffler.h"
#include "moft/training/training_options.h"
#include "moft/weightings/steering.h"

namespace moft {

using NamedTensors = std::map<std::string, at::Tensor>;

// One completion of a step, for samples.jsonl and for people to read.
struct TrainingSample {
  const Example* example = nullptr;
  std::string prompt;
  std::string completion;
  Steering steering;
  std::vector<double> raw_rewards;  // [m]
  std::vector<double> rewards;      // [m], mapped
  double kl = 0.0;                  // log pi(y) - log ref(y), nats
  double reward = 0.0;              // r, KL included
  double advantage = 0.0;
  std::int64_t tokens = 0;
  bool finished = false;
  // What rewards from outside said of it, by name.
  std::map<std::string, std::string> texts = {};
};

// Seconds of each part of a step.
struct StepTimes {
  double rollout = 0.0;
  double rewards = 0.0;
  double reference = 0.0;
  double policy = 0.0;  // forward and backward
  double value = 0.0;   // the value network, its update included
  double optimizer = 0.0;
  double ranks = 0.0;  // waiting for other ranks, and exchanges with them
  double total() const {
    return rollout + rewards + reference + policy + value + optimizer + ranks;
  }
};

struct StepResult {
  std::int64_t step = 0;  // counted from 1
  // Stable keys, TRL's where TRL has them; docs/metrics.md explains each.
  std::map<std::string, double> metrics;
  StepTimes times;
  std::vector<TrainingSample> samples;
};

// Everything that decides how training continues; what a checkpoint keeps.
// Tensors may be the live ones: write or copy them before the next step.
struct TrainerState {
  std::int64_t step = 0;  // finished steps
  ShuffleCursor cursor;
  NamedTensors masters;  // the trained parameters
  // This rank's parts of them, under the names of shards (algorithms/shards.h).
  bool masters_in_parts = false;
  NamedTensors optimizer;
  NamedTensors sampler;  // of steerings; empty where it keeps none
  NamedTensors rewards;  // their running moments; empty without
  // The value network's; empty without one.
  NamedTensors value;
  NamedTensors value_optimizer;
  // What a trainer that may stop early would publish; empty without one.
  NamedTensors best;
};

// A figure of the progress line: `label`=the metric `metric`; left out of
// steps that do not have it.
struct ProgressFigure {
  enum class Format { kNumber, kShareOfStep };  // 0.531; 40% of step_time

  std::string label;
  std::string metric;
  Format format = Format::kNumber;
  int digits = 3;  // significant ones of kNumber
};

// What a run must know of its trainer.
struct RunOptions {
  std::string section;           // of the recipe, for messages: "training"
  const char* memory_cure = "";  // what to change when memory runs out
  std::int64_t steps = 0;        // of the whole run
  ScheduleShape schedule = ScheduleShape::kConstant;
  CheckpointOptions checkpoint;
  GuardOptions guards;  // only metrics that the steps have are guarded
  std::optional<std::int64_t> evaluate_every;  // none: not between steps
  bool evaluate_at_the_end = false;
  std::optional<std::int64_t> log_samples;  // a step; none: all
  std::vector<std::string> objectives;      // names, in the samples' order
  std::vector<ProgressFigure> progress;
};

class Trainer {
 public:
  virtual ~Trainer() = default;

  // WorldError for a loss, gradient or reward that is not finite; WaitStopped
  // (rewards/reward.h) as stop_when() says.
  virtual StepResult step() = 0;
  // Asked while a step waits for what is computed elsewhere. When it says true
  // the step ends with WaitStopped, and the trainer is as it was before it.
  virtual void stop_when(std::function<bool()> /*requested*/) {}
  virtual std::int64_t finished_steps() const = 0;
  // The run ends here, before its last step.
  virtual bool stopped_early() const { return false; }
  virtual RunOptions run_options() const = 0;

  virtual TrainerState state() const = 0;
  // CallerError for a state of another trainer.
  virtual void restore(const TrainerState& state) = 0;
};

}  // namespace moft
