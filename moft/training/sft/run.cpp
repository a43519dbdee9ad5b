#include "moft/training/sft/run.h"

#include <chrono>
#include <cmath>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/generation/export.h"
#include "moft/training/run_directory.h"
#include "moft/training/step_failure.h"

namespace moft {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

SftRun::SftRun(
    RunSetup setup,
    SteeredPolicy& policy,
    SftTrainer& trainer,
    const std::optional<Checkpoint>& resume)
    : policy_(policy),
      trainer_(trainer),
      store_(std::move(setup), policy),
      start_(Clock::now()) {
  if (resume) {
    trainer_.restore(store_.load(*resume));
    first_step_ = resume->state.step;
  }
  store_.open(resume, /*log_samples=*/0);
}

RunOutcome SftRun::run() {
  RunOutcome outcome;
  while (!done() && !store_.stop_requested())
    one_step();
  outcome.finished = done();
  outcome.step = trainer_.finished_steps();
  if (!outcome.finished && store_.unsaved(outcome.step)) save();
  outcome.checkpoint = store_.newest();
  if (!outcome.finished) return outcome;
  publish();
  outcome.policy = store_.setup().directory / kModelDirectory;
  return outcome;
}

bool SftRun::done() const {
  return trainer_.finished_steps() >= trainer_.options().steps;
}

RunPlace SftRun::place() const {
  const ScheduleShape schedule = trainer_.options().schedule.kind;
  return {"sft", store_.newest(), schedule == ScheduleShape::kConstant};
}

StepResult SftRun::step_and_evaluate() {
  StepResult result = trainer_.step();
  const auto every = trainer_.options().evaluation.every;
  if (done() || (every && result.step % *every == 0)) {
    const auto start = Clock::now();
    result.metrics["held_out/loss"] = trainer_.held_out().loss();
    result.metrics["time/evaluation"] = seconds_since(start);
  }
  return result;
}

void SftRun::one_step() {
  const SftOptions& options = trainer_.options();
  store_.check_inputs();
  StepResult result = run_step(trainer_.finished_steps() + 1, place(), [&] {
    return step_and_evaluate();
  });
  store_.logs().write(result);
  print(result);
  const double last = result.metrics.at("loss");
  const auto held_out = result.metrics.find("held_out/loss");
  const double loss = held_out == result.metrics.end() || !std::isfinite(last)
                          ? last
                          : held_out->second;
  if (!std::isfinite(loss)) {
    throw_world_error(
        "stopped at step {}: the loss is {}; lower "
        "sft.optimizer.learning_rate; {}",
        result.step,
        loss,
        what_is_left(place()));
  }
  const auto save_every = options.checkpoint.every;
  if (!save_every || (result.step % *save_every != 0 && !done())) return;
  save();
  remove_old_checkpoints(store_.setup().directory, options.checkpoint.keep);
}

void SftRun::save() {
  run_step(trainer_.finished_steps(), place(), [&] {
    require_finite_masters(policy_);
  });
  store_.save(trainer_.state(), /*guards=*/{});
}

void SftRun::print(const StepResult& result) const {
  const auto& metrics = result.metrics;
  const std::int64_t steps = trainer_.options().steps;
  LogLine line;
  line.add("step", fmt::format("{}/{}", result.step, steps));
  line.add("loss", metrics.at("loss"), 4);
  const auto held_out = metrics.find("held_out/loss");
  if (held_out != metrics.end()) line.add("held_out", held_out->second, 4);
  line.add("grad_norm", metrics.at("grad_norm"));
  line.add("epoch", metrics.at("epoch"));
  line.add("tokens_per_second", metrics.at("tokens_per_second"));
  const auto here = static_cast<double>(result.step - first_step_);
  const auto left = static_cast<double>(steps - result.step);
  line.add("time_left", format_duration(seconds_since(start_) / here * left));
  line.print();
}

void SftRun::publish() {
  store_.check_inputs();
  store_.logs().flush();
  export_policy(
      policy_,
      store_.setup().base_path,
      sft_steering(),
      store_.setup().directory / kModelDirectory,
      IfExists::kReplace);
}

}  // namespace moft
