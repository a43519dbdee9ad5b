// The loop around a trainer's steps.
#include "moft/training/run.h"

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/distributed/together.h"
#include "moft/rewards/reward.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

LogLengths start_of(const std::optional<Checkpoint>& resume) {
  return resume ? resume->state.logs : LogLengths{};
}

}  // namespace

void RunStore::open(
    const std::optional<Checkpoint>& resume,
    std::vector<std::string> objectives,
    std::optional<std::int64_t> log_samples) {
  const fs::path& directory = setup_.directory;
  const LogLengths start = start_of(resume);
  if (resume) {
    newest_ = resume->directory;
    saved_step_ = resume->state.step;
  }
  if (!writes()) return;
  check_log_lengths(directory, start);
  write_run_kind(directory, setup_.kind);
  remove_stale_temporaries(directory);
  remove_stale_temporaries(checkpoints_of(directory));
  write_atomically(directory / kRecipeFile, setup_.recipe);
  if (resume) {
    // Before the logs are cut: no checkpoint is left without its logs.
    for (const fs::path& damaged : resume->damaged)
      set_aside(damaged);
    remove_later_checkpoints(directory, resume->state.step);
  }
  logs_.emplace(directory, start, std::move(objectives), log_samples);
}

void RunStore::save(const TrainerState& trainer, const GuardState& guards) {
  check_inputs();
  CheckpointState state;
  if (writes()) state.logs = logs_->flush();
  state.guards = guards;
  state.device = setup_.device;
  state.threads = setup_.threads;
  state.input_hashes = setup_.input_hashes;
  newest_ = save_checkpoint(
      setup_.directory, trainer, std::move(state), setup_.recipe, setup_.group);
  saved_step_ = trainer.step;
}

bool RunStore::stop_requested() const {
  const bool own = setup_.stop_requested && setup_.stop_requested();
  return setup_.group ? setup_.group->agree(own) : own;
}

Progress::Progress(
    std::vector<ProgressFigure> figures, std::int64_t steps, std::int64_t done)
    : figures_(std::move(figures)),
      steps_(steps),
      first_(done),
      start_(std::chrono::steady_clock::now()) {}

void Progress::print(const StepResult& result) const {
  LogLine line;
  line.add("step", fmt::format("{}/{}", result.step, steps_));
  for (const ProgressFigure& figure : figures_) {
    const auto metric = result.metrics.find(figure.metric);
    if (metric == result.metrics.end()) continue;
    if (figure.format == ProgressFigure::Format::kNumber) {
      line.add(figure.label, metric->second, figure.digits);
      continue;
    }
    const double total = result.metrics.at("step_time");
    const double percent = total > 0 ? 100.0 * metric->second / total : 0.0;
    line.add(figure.label, fmt::format("{:.0f}%", percent));
  }
  // From what a step has cost so far, saving and evaluation included.
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
          .count();
  const auto done = static_cast<double>(result.step - first_);
  const auto left = static_cast<double>(steps_ - result.step);
  line.add("time_left", format_duration(elapsed / done * left));
  line.print();
}

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
  const auto open = [&] {
    store_.open(resume, options_.objectives, options_.log_samples);
  };
  if (!store_.writes()) open();
  on_first(open);
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
  trainer_.stop_when(store_.setup().stop_requested);
  try {
    while (!done() && !store_.stop_requested())
      one_step();
  } catch (const WaitStopped&) {
    // The trainer is where the last step left it.
  }
  trainer_.stop_when(nullptr);
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
  if (store_.writes()) {
    store_.logs().write(result);
    progress_.print(result);
    ties_.note(result.step, result.metrics);
  }
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
  if (!store_.writes()) return;
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
  if (!store_.writes()) publisher_.serve(nullptr);
  on_first([&] {
    publisher_.serve([&] {
      store_.logs().flush();
      const std::string alarm = end_in_alarm().value_or("");
      publisher_.publish(
          {store_.setup().directory,
           product(),
           trainer_.finished_steps(),
           alarm});
    });
  });
}

void Run::on_first(const std::function<void()>& work) const {
  Group* group = store_.setup().group;
  return group ? do_on_first(*group, work) : work();
}

}  // namespace moft
