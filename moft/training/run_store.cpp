#include "moft/training/run_store.h"

#include "moft/core/files.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

LogLengths start_of(const std::optional<Checkpoint>& resume) {
  return resume ? resume->state.logs : LogLengths{};
}

}  // namespace

RunStore::RunStore(
    RunSetup setup,
    SteeredPolicy& policy,
    const std::optional<Checkpoint>& resume,
    std::optional<std::int64_t> log_samples)
    : setup_(std::move(setup)),
      policy_(policy),
      logs_(setup_.directory, start_of(resume), policy.names(), log_samples) {
  remove_stale_temporaries(setup_.directory);
  remove_stale_temporaries(checkpoints_of(setup_.directory));
  write_atomically(setup_.directory / kRecipeFile, setup_.recipe);
}

TrainerState RunStore::load(const Checkpoint& resume) {
  TrainerState trainer = load_checkpoint(resume, policy_);
  remove_later_checkpoints(setup_.directory, resume.state.step);
  newest_ = resume.directory;
  saved_step_ = resume.state.step;
  return trainer;
}

void RunStore::save(const TrainerState& trainer, const GuardState& guards) {
  CheckpointState state;
  state.logs = logs_.flush();
  state.guards = guards;
  state.device = setup_.device;
  state.threads = setup_.threads;
  state.input_hashes = setup_.input_hashes;
  newest_ = save_checkpoint(
      setup_.directory, policy_, trainer, std::move(state), setup_.recipe);
  saved_step_ = trainer.step;
}

bool RunStore::stop_requested() const {
  return setup_.stop_requested && setup_.stop_requested();
}

}  // namespace moft
