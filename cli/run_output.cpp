#include "cli/run_output.h"

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/training/run_directory.h"

#include "cli/signals.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// The run directory and checkpoint that --resume DIR means.
RunOutput find_resume_point(const std::string& given) {
  fs::path path = fs::path(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (fs::exists(path / "state.json")) {
    path = fs::absolute(path);
    const fs::path checkpoints = path.parent_path();
    if (checkpoints == checkpoints_of(checkpoints.parent_path()))
      return {checkpoints.parent_path().string(), path};
  }
  const auto found = list_checkpoints(path);
  if (found.empty()) {
    throw_caller_error(
        "--resume {}: there is no checkpoint; give a run directory or one of "
        "its checkpoints",
        quote_text(given, 200));
  }
  return {path.string(), found.back()};
}

}  // namespace

void add_output_flags(Parser& parser, OutputFlags& flags) {
  parser.add_path(
      "--resume",
      flags.resume,
      "auto: from the newest checkpoint of the output, from the start when "
      "there is none; or a run directory or checkpoint to go on from");
  parser.add_path(
      "--output",
      flags.output,
      "The run directory, instead of the recipe's `output`");
  parser.add_flag(
      "--overwrite",
      flags.overwrite,
      "Remove the run that the output holds and start afresh");
}

RunOutput choose_output(
    const OutputFlags& flags, const std::string& of_the_recipe) {
  if (!flags.resume.empty() && flags.overwrite) {
    throw_caller_error(
        "--resume and --overwrite contradict each other; give one of them");
  }
  if (!flags.resume.empty() && flags.resume != "auto")
    return find_resume_point(flags.resume);
  return {flags.output.empty() ? of_the_recipe : flags.output, std::nullopt};
}

std::optional<Checkpoint> open_output(
    const OutputFlags& flags, const RunOutput& output, const char* product) {
  const fs::path directory = output.directory;
  std::optional<fs::path> from = output.checkpoint;
  if (flags.resume == "auto") {
    const auto found = list_checkpoints(directory);
    if (!found.empty()) from = found.back();
    if (found.empty() && fs::exists(directory / product)) {
      throw_caller_error(
          "{}: holds a finished {} but no checkpoint to resume from; "
          "choose another --output, or --overwrite",
          directory.string(),
          product);
    }
  } else if (flags.resume.empty() && !flags.overwrite && holds_run(directory)) {
    throw_caller_error(
        "{}: holds a run already; go on with it (--resume auto), choose "
        "another --output, or replace it (--overwrite)",
        directory.string());
  }
  if (from) return read_checkpoint(*from);
  remove_run(directory);
  return std::nullopt;
}

void throw_other_recipe(const Checkpoint& checkpoint, const std::string& key) {
  throw_caller_error(
      "the recipe differs from {} in {}, which changes the result; resume "
      "with the same value, or train into another output",
      (checkpoint.directory / "recipe.yaml").string(),
      key);
}

void check_steps(const Checkpoint& checkpoint, const StepsChange& change) {
  const bool fixed_end = change.schedule != ScheduleKind::kConstant;
  if (fixed_end && change.now != change.before) {
    throw_caller_error(
        "{}.steps is {} but was {}; with {}.schedule.kind {} the learning "
        "rate depends on it: resume with the same value",
        change.section,
        change.now,
        change.before,
        change.section,
        enum_name(change.schedule));
  }
  if (change.now < checkpoint.state.step) {
    throw_caller_error(
        "{}.steps is {}, but {} has {} finished steps; give at least as many",
        change.section,
        change.now,
        checkpoint.directory.string(),
        checkpoint.state.step);
  }
}

void check_same_inputs(
    const Checkpoint& checkpoint,
    const std::map<std::string, std::string>& now) {
  const auto& before = checkpoint.state.input_hashes;
  for (const auto& [name, hash] : now) {
    const auto found = before.find(name);
    if (found != before.end() && found->second == hash) continue;
    throw_caller_error(
        "{} is not what {} was trained with (its hash differs); put the old "
        "file back, or train into another output",
        name,
        checkpoint.directory.string());
  }
}

void warn_of_other_machine(const CheckpointState& before, const Compute& now) {
  if (before.device == now.load.device.str() && before.threads == now.threads) {
    return;
  }
  log_warning(
      "the checkpoint was computed on {} with {} threads, this is {} with {}; "
      "results will differ in the last bits from an undisturbed run",
      before.device,
      before.threads,
      now.load.device.str(),
      now.threads);
}

int print_stopped(const RunOutcome& outcome, const std::string& command) {
  if (outcome.checkpoint) {
    write_log_line(fmt::format(
        "stopped after step {}; go on with: {} --resume auto",
        outcome.step,
        command));
  } else {
    write_log_line("stopped before the first step; nothing to resume");
  }
  return 128 + interrupted_by();
}

}  // namespace moft
