#include "moft/training/run.h"

#include <chrono>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_directory.h"
#include "moft/training/run_directory.h"
#include "moft/training/step_failure.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

std::map<std::string, double> metrics_of(std::string_view line) {
  std::map<std::string, double> metrics;
  const auto json = parse_json(line, kMetricsFile);
  for (const auto& [key, value] : json.items()) {
    if (value.is_number()) metrics[key] = value.get<double>();
  }
  return metrics;
}

// The figures of the first and the last step logged.
void read_figures(const fs::path& run, ModelCard& card) {
  const MappedFile file(run / kMetricsFile);
  std::string_view text = file.text();
  text.remove_suffix(1);  // the last line end
  card.first_metrics = metrics_of(text.substr(0, text.find('\n')));
  card.last_metrics = metrics_of(text.substr(text.rfind('\n') + 1));
}

}  // namespace

TrainingRun::TrainingRun(
    RunSetup setup,
    SteeredPolicy& policy,
    OnlineTrainer& trainer,
    const std::optional<Checkpoint>& resume)
    : policy_(policy),
      trainer_(trainer),
      guards_(
          trainer.options().guards,
          resume ? resume->state.guards : GuardState{}),
      store_(std::move(setup), policy),
      progress_(
          trainer.options().steps,
          resume ? resume->state.step : 0,
          policy.names()) {
  if (resume) trainer_.restore(store_.load(*resume));
  store_.open(resume, trainer.options().log_samples);
}

RunOutcome TrainingRun::run() {
  RunOutcome outcome;
  while (trainer_.finished_steps() < trainer_.options().steps) {
    if (store_.stop_requested()) {
      if (store_.unsaved(trainer_.finished_steps())) save();
      outcome.step = trainer_.finished_steps();
      outcome.checkpoint = store_.newest();
      return outcome;
    }
    one_step();
  }
  publish();
  outcome.finished = true;
  outcome.step = trainer_.finished_steps();
  outcome.checkpoint = store_.newest();
  outcome.policy = store_.setup().directory / kPolicyDirectory;
  return outcome;
}

RunPlace TrainingRun::place() const {
  const ScheduleKind schedule = trainer_.options().schedule.kind;
  return {"training", store_.newest(), schedule == ScheduleKind::kConstant};
}

void TrainingRun::one_step() {
  store_.check_inputs();
  StepResult result = run_step(trainer_.finished_steps() + 1, place(), [&] {
    StepResult taken = trainer_.step();
    evaluate(taken);
    return taken;
  });
  store_.logs().write(result);
  progress_.print(result);
  note_ties(result);
  if (const auto reason = guards_.check(result.metrics))
    throw_guarded(result.step, *reason);
  save_when_due();
}

// Said of the first step, the tenth in a row, the hundredth and so on.
void TrainingRun::note_ties(const StepResult& result) {
  const bool tied = result.metrics.at("frac_reward_zero_std") == 1.0;
  ties_ = tied ? ties_ + 1 : 0;
  std::int64_t said = 1;
  while (said < ties_)
    said *= 10;
  if (said != ties_) return;
  log_warning(
      "step {}: the rewards do not vary: all completions of a prompt got the "
      "same{}, so there is nothing to prefer; look at samples.jsonl, at the "
      "rewards and at their ranges",
      result.step,
      ties_ == 1 ? "" : fmt::format(" in each of {} steps in a row", ties_));
}

void TrainingRun::evaluate(StepResult& result) const {
  const auto every = trainer_.options().evaluation.every;
  const OnEvaluate& on_evaluate = store_.setup().on_evaluate;
  if (!every || !on_evaluate || result.step % *every != 0) return;
  const auto start = std::chrono::steady_clock::now();
  result.metrics.merge(on_evaluate(result.step));
  result.metrics["time/evaluation"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
}

// While a guard is alarmed nothing is saved: good checkpoints must not be
// pushed out by bad ones.
void TrainingRun::save_when_due() {
  const auto& options = trainer_.options();
  const auto every = options.checkpoint.every;
  const std::int64_t step = trainer_.finished_steps();
  if (!every || guards_.alarmed()) return;
  if (step % *every != 0 && step != options.steps) return;
  save();
  remove_old_checkpoints(store_.setup().directory, options.checkpoint.keep);
}

void TrainingRun::save() {
  require_finite();
  store_.save(trainer_.state(), guards_.state());
}

void TrainingRun::throw_guarded(
    std::int64_t step, const std::string& reason) const {
  throw_world_error(
      "stopped at step {}: {}; {}", step, reason, what_is_left(place()));
}

std::optional<std::string> TrainingRun::end_in_alarm() const {
  const auto alarm = guards_.alarm();
  if (!alarm) return std::nullopt;
  const fs::path before = store_.setup().directory / kPolicyDirectory;
  if (fs::exists(before)) {
    throw_world_error(
        "step {} was the last and in alarm: {}; {} was published before and is "
        "kept; {}",
        trainer_.finished_steps(),
        *alarm,
        before.string(),
        what_is_left(place()));
  }
  log_warning(
      "THIS POLICY WAS IN ALARM WHEN ITS TRAINING ENDED: {}; {}",
      *alarm,
      what_is_left(place()));
  return alarm;
}

// Before anything is written: a last step may end in numbers that are none.
void TrainingRun::require_finite() {
  run_step(trainer_.finished_steps(), place(), [&] {
    require_finite_policy(policy_, trainer_.prompt(0));
  });
}

void TrainingRun::publish() {
  store_.check_inputs();
  require_finite();
  const RunSetup& setup = store_.setup();
  ModelCard card = setup.card;
  card.steps = trainer_.finished_steps();
  read_figures(setup.directory, card);
  card.alarm = end_in_alarm().value_or("");
  for (const std::string& warning :
       steering_warnings(policy_, trainer_.prompt(0))) {
    log_warning("{}", warning);
  }
  policy_.record_training(
      trainer_.finished_steps(),
      trainer_.finished_steps() * trainer_.options().prompts_per_step *
          trainer_.options().samples_per_prompt);
  save_policy(
      policy_,
      setup.base_path,
      setup.directory / kPolicyDirectory,
      model_card_text(card, policy_));
}

}  // namespace moft
