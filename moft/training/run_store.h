// What every run does with its directory, whichever trainer it drives: the
// recipe and the logs from the start, checkpoints on the way, going on from
// one.
//
// Errors: CallerError and WorldError; older checkpoints stay as they are.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "moft/training/checkpoint.h"
#include "moft/training/guards.h"
#include "moft/training/metrics_writer.h"
#include "moft/training/run_setup.h"

namespace moft {

class RunStore {
 public:
  // policy outlives the store. Clears what killed processes left behind,
  // writes the recipe and cuts the logs to where `resume` stands in them.
  // log_samples: as MetricsWriter's.
  RunStore(
      RunSetup setup,
      SteeredPolicy& policy,
      const std::optional<Checkpoint>& resume,
      std::optional<std::int64_t> log_samples);

  // Reads the masters into the policy and drops the checkpoints of later
  // steps. Returns what the trainer has to be restored to.
  TrainerState load(const Checkpoint& resume);

  void save(const TrainerState& trainer, const GuardState& guards);
  // Whether `step` lies behind the newest checkpoint.
  bool unsaved(std::int64_t step) const { return step > saved_step_; }

  bool stop_requested() const;
  const RunSetup& setup() const { return setup_; }
  MetricsWriter& logs() { return logs_; }
  const std::optional<std::filesystem::path>& newest() const { return newest_; }

 private:
  RunSetup setup_;
  SteeredPolicy& policy_;
  MetricsWriter logs_;
  std::optional<std::filesystem::path> newest_;
  std::int64_t saved_step_ = 0;
};

}  // namespace moft
