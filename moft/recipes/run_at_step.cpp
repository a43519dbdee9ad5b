// Copies from a checkpoint in the policy that the run published.
#include "moft/recipes/run_at_step.h"

#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/training/apply_update.h"
#include "moft/training/checkpoint.h"

namespace moft {

namespace fs = std::filesystem;

fs::path RunAtStep::report() const {
  return directory / (step ? fmt::format("report-step-{}", *step) : "report");
}

RunAtStep parse_run(const std::string& text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos || at == 0 || fs::exists(text)) return {text, {}};
  const auto step = parse_integer(std::string_view(text).substr(at + 1));
  if (!step || *step < 1) {
    throw_caller_error(
        "{}: after the @ belongs a step, a whole number of at least 1: {}@18",
        text,
        text.substr(0, at));
  }
  return {text.substr(0, at), step};
}

fs::path copies_at(const RunAtStep& run) {
  if (!run.step || read_definition(run.policy()).steps == run.step)
    return run.policy();
  const std::string name = fmt::format("step-{}", *run.step);
  std::vector<std::string> kept;
  for (const fs::path& checkpoint : list_checkpoints(run.directory)) {
    if (checkpoint.filename() == name) return checkpoint;
    kept.push_back(checkpoint.filename().string());
  }
  throw_caller_error(
      "{} has no checkpoint of step {}; it keeps {}; train it with "
      "training.checkpoint.every and keep such that it stays",
      run.directory.string(),
      *run.step,
      kept.empty() ? "none" : join(kept, ", "));
}

std::optional<std::string> remark_on_step(
    const RunAtStep& run, const Recipe& recipe) {
  const bool constant =
      recipe.training.schedule.kind == ScheduleShape::kConstant;
  if (constant || !run.step || copies_at(run) == run.policy()) return {};
  return fmt::format(
      "Warning: {} is of a learning rate that was still to fall at step {} of "
      "{}: it is not what a run of {} steps gives, which takes "
      "training.schedule.kind: constant.",
      run.directory.string(),
      *run.step,
      recipe.training.steps,
      *run.step);
}

std::unique_ptr<SteeredPolicy> load_policy_at(
    const RunAtStep& run,
    std::int64_t answers_per_step,
    const LoadOptions& options) {
  auto policy = load_policy(run.policy(), options);
  const fs::path copies = copies_at(run);
  if (copies == run.policy()) return policy;
  const TrainerState state = load_checkpoint(read_intact_checkpoint(copies));
  try {
    restore_masters(state.masters, *policy->conditioning());
  } catch (const CallerError&) {
    throw_caller_error(
        "{}: its copies are not those of {}; the run was trained by another "
        "recipe since",
        copies.string(),
        run.policy().string());
  }
  policy->record_training(*run.step, *run.step * answers_per_step);
  return policy;
}

}  // namespace moft
