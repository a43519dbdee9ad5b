// A run's directory while it trains.
#include "moft/training/run_store.h"

#include "moft/core/atomic_files.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

LogLengths start_of(const std::optional<Checkpoint>& resume) {
  return resume ? resume->state.logs : LogLengths{};
}

}  // namespace

void RunStore::open(
    const std::optional<Checkpoint>& resume,
    std::vector<std::string> objectives,
    std::optional<std::int64_t> log_samples) {
  const std::filesystem::path& directory = setup_.directory;
  const LogLengths start = start_of(resume);
  check_log_lengths(directory, start);
  write_run_kind(directory, setup_.kind);
  remove_stale_temporaries(directory);
  remove_stale_temporaries(checkpoints_of(directory));
  write_atomically(directory / kRecipeFile, setup_.recipe);
  if (resume) {
    // Before the logs are cut: no checkpoint is left without its logs.
    for (const std::filesystem::path& damaged : resume->damaged)
      set_aside(damaged);
    remove_later_checkpoints(directory, resume->state.step);
    newest_ = resume->directory;
    saved_step_ = resume->state.step;
  }
  logs_.emplace(directory, start, std::move(objectives), log_samples);
}

void RunStore::save(const TrainerState& trainer, const GuardState& guards) {
  check_inputs();
  CheckpointState state;
  state.logs = logs_->flush();
  state.guards = guards;
  state.device = setup_.device;
  state.threads = setup_.threads;
  state.input_hashes = setup_.input_hashes;
  newest_ = save_checkpoint(
      setup_.directory, trainer, std::move(state), setup_.recipe);
  saved_step_ = trainer.step;
}

bool RunStore::stop_requested() const {
  return setup_.stop_requested && setup_.stop_requested();
}

}  // namespace moft
