#include "moft/training/run.h"

#include <chrono>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/training/run_directory.h"

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

void TrainingRun::one_step() {
  store_.check_inputs();
  StepResult result = trainer_.step();
  evaluate(result);
  store_.logs().write(result);
  progress_.print(result);
  if (const auto reason = guards_.check(result.metrics))
    throw_guarded(result.step, *reason);
  save_when_due();
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
  store_.save(trainer_.state(), guards_.state());
}

void TrainingRun::throw_guarded(
    std::int64_t step, const std::string& reason) const {
  const auto& newest = store_.newest();
  throw_world_error(
      "stopped at step {}: {}; {}",
      step,
      reason,
      newest ? "the last good checkpoint is " + newest->string()
             : std::string("no checkpoint had been saved yet"));
}

void TrainingRun::publish() {
  store_.check_inputs();
  const RunSetup& setup = store_.setup();
  ModelCard card = setup.card;
  card.steps = trainer_.finished_steps();
  read_figures(setup.directory, card);
  const double effect = steering_effect(policy_, trainer_.prompts().front());
  if (effect < kLeastSteeringEffect) {
    log_warning(
        "THIS POLICY DOES NOT STEER: the logits of different weightings are "
        "equal; train for more steps, raise "
        "training.optimizer.learning_rate, or check that the rewards differ "
        "between completions");
  }
  save_policy(
      policy_,
      setup.base_path,
      setup.directory / kPolicyDirectory,
      model_card_text(card, policy_));
}

}  // namespace moft
