// The loop around a trainer's steps.
#include "moft/training/run.h"

#include <chrono>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/training/run_directory.h"

namespace moft {

namespace fs = std::filesystem;

Run::Run(
    RunSetup setup,
    Trainer& trainer,
    Publisher& publisher,
    const std::optional<Checkpoint>& resume)
    : trainer_(trainer),
      publisher_(publisher),
      options_(trainer.run_options()),
      guards_(options_.guards, resume ? resume->state.guards : GuardState{}),
      store_(std::move(setup)),
      progress_(
          options_.progress, options_.steps, resume ? resume->state.step : 0) {
  if (resume) restore(*resume);
  store_.open(resume, options_.objectives, options_.log_samples);
}

void Run::restore(const Checkpoint& checkpoint) {
  const TrainerState state = load_checkpoint(checkpoint);
  try {
    trainer_.restore(state);
  } catch (const CallerError& error) {
    throw_caller_error("{}: {}", checkpoint.directory.string(), error.what());
  }
}

RunOutcome Run::run() {
  while (!done() && !store_.stop_requested())
    one_step();
  RunOutcome outcome;
  outcome.finished = done();
  outcome.step = trainer_.finished_steps();
  if (!outcome.finished && store_.unsaved(outcome.step)) save();
  if (outcome.finished) {
    publish();
    outcome.product = product();
  }
  outcome.checkpoint = store_.newest();
  return outcome;
}

RunPlace Run::place() const {
  return {
      options_.section,
      options_.memory_cure,
      store_.newest(),
      options_.schedule == ScheduleShape::kConstant};
}

fs::path Run::product() const {
  return store_.setup().directory / product_of(store_.setup().kind);
}

void Run::one_step() {
  store_.check_inputs();
  const std::int64_t step = trainer_.finished_steps() + 1;
  const StepResult result = run_step(step, place(), [&] {
    StepResult taken = trainer_.step();
    evaluate(taken);
    return taken;
  });
  store_.logs().write(result);
  progress_.print(result);
  ties_.note(result.step, result.metrics);
  if (const auto reason = guards_.check(result.metrics)) {
    throw_world_error(
        "stopped at step {}: {}; {}", step, *reason, what_is_left(place()));
  }
  save_when_due();
}

void Run::evaluate(StepResult& result) const {
  const auto every = options_.evaluate_every;
  const bool due = (every && result.step % *every == 0) ||
                   (options_.evaluate_at_the_end && done());
  const OnEvaluate& on_evaluate = store_.setup().on_evaluate;
  if (!due || !on_evaluate) return;
  const auto start = std::chrono::steady_clock::now();
  result.metrics.merge(on_evaluate(result.step));
  result.metrics["time/evaluation"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
}

// While a guard is alarmed nothing is saved: good checkpoints must not be
// pushed out by bad ones.
void Run::save_when_due() {
  const auto every = options_.checkpoint.every;
  if (!every || guards_.alarmed()) return;
  if (trainer_.finished_steps() % *every != 0 && !done()) return;
  save();
  remove_old_checkpoints(store_.setup().directory, options_.checkpoint.keep);
}

void Run::save() {
  require_finite();
  store_.save(trainer_.state(), guards_.state());
}

// Before anything is written: the last update may have left numbers that are
// not finite.
void Run::require_finite() {
  run_step(
      trainer_.finished_steps(), place(), [&] { publisher_.require_finite(); });
}

std::optional<std::string> Run::end_in_alarm() const {
  const auto alarm = guards_.alarm();
  if (!alarm) return std::nullopt;
  if (fs::exists(product())) {
    throw_world_error(
        "step {} was the last and in alarm: {}; {} was published before and is "
        "kept; {}",
        trainer_.finished_steps(),
        *alarm,
        product().string(),
        what_is_left(place()));
  }
  log_warning(
      "THIS POLICY WAS IN ALARM WHEN ITS TRAINING ENDED: {}; {}",
      *alarm,
      what_is_left(place()));
  return alarm;
}

void Run::publish() {
  store_.check_inputs();
  require_finite();
  store_.logs().flush();
  const std::string alarm = end_in_alarm().value_or("");
  publisher_.publish(
      {store_.setup().directory, product(), trainer_.finished_steps(), alarm});
}

}  // namespace moft
