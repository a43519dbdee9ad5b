// What a run does with its directory: the recipe and the logs from the start,
// checkpoints on the way, resuming from one.
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

  bool stop_requested() const;
  const RunSetup& setup() const { return setup_; }
  // REQUIRES open().
  MetricsWriter& logs() { return *logs_; }
  const std::optional<std::filesystem::path>& newest() const { return newest_; }

 private:
  RunSetup setup_;
  std::optional<MetricsWriter> logs_;
  std::optional<std::filesystem::path> newest_;
  std::int64_t saved_step_ = 0;
};

}  // namespace moft
