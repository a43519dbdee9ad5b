#include "cli/run_output.h"

#include <algorithm>
#include <csignal>
#include <iterator>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"

#include "cli/signals.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// The run directory and, where it names one, the checkpoint that --resume DIR
// means.
RunOutput find_resume_point(const std::string& given) {
  fs::path path = fs::path(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (fs::exists(path / "state.json")) {
    path = fs::absolute(path);
    const fs::path checkpoints = path.parent_path();
    if (checkpoints == checkpoints_of(checkpoints.parent_path()))
      return {checkpoints.parent_path().string(), path};
  }
  if (list_checkpoints(path).empty()) {
    throw_caller_error(
        "--resume {}: there is no checkpoint; give a run directory or one of "
        "its checkpoints",
        quote_text(given, 200));
  }
  return {path.string(), std::nullopt};
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

// What --overwrite removes must not be what the new run reads.
void refuse_input_to_remove(const fs::path& directory, const RunPlan& plan) {
  const auto doomed = files_of_run(directory);
  for (const auto& [key, input] : plan.inputs) {
    std::error_code ignored;
    const fs::path path = fs::weakly_canonical(input, ignored);
    for (const fs::path& file : doomed) {
      if (!fs::is_regular_file(file) ||
          !is_below(fs::weakly_canonical(file, ignored), path)) {
        continue;
      }
      throw_caller_error(
          "{} is {}, which --overwrite would remove with the run in {}; "
          "choose another --output",
          key,
          input,
          directory.string());
    }
  }
}

// A run inside a model's folder would turn it into something else.
void refuse_output_in_input(const fs::path& directory, const RunPlan& plan) {
  std::error_code ignored;
  const fs::path output = fs::weakly_canonical(directory, ignored);
  for (const auto& [key, input] : plan.inputs) {
    if (!fs::exists(fs::path(input) / "config.json", ignored) ||
        fs::weakly_canonical(input, ignored) != output) {
      continue;
    }
    throw_caller_error(
        "output is {}, the folder of {}; choose another output",
        directory.string(),
        key);
  }
}

[[noreturn]] void throw_other_kind(
    const fs::path& directory, RunKind kind, const OutputFlags& flags) {
  throw_caller_error(
      "{}: holds a run of `{}`; choose another --output{}",
      directory.string(),
      command_of(kind),
      flags.resume.empty() ? ", or replace it (--overwrite)" : "");
}

[[noreturn]] void throw_in_the_way(const fs::path& path, RunKind kind) {
  throw_caller_error(
      "{}: `{}` would write over it, but no run of moft is known to have "
      "written it; choose another output directory, or move it away",
      path.string(),
      command_of(kind));
}

bool has_product(const fs::path& directory, RunKind kind) {
  return fs::exists(directory / product_of(kind));
}

// Where training on other inputs begins: from what this run has made.
std::string cure_of_other_inputs(const Checkpoint& checkpoint) {
  const fs::path run = checkpoint.directory.parent_path().parent_path();
  const auto is_there = [](const fs::path& path) { return fs::exists(path); };
  if (is_there(run / kPolicyDirectory / "moft.json")) {
    return fmt::format(
        "start from the trained weights in another output (policy.start: {})",
        (run / kPolicyDirectory).string());
  }
  if (is_there(run / kModelDirectory / "config.json")) {
    return fmt::format(
        "start from the trained weights in another output (model.path: {})",
        (run / kModelDirectory).string());
  }
  return fmt::format(
      "train into another output; to start from these weights, publish them "
      "first (everything as it was, with {} steps and --resume auto)",
      checkpoint.state.step);
}

// Things in the way that removing the run would leave where they are.
void refuse_what_would_stay(const fs::path& directory, RunKind kind) {
  const auto doomed = files_of_run(directory);
  const auto goes = [&](const fs::path& path) {
    return std::find(doomed.begin(), doomed.end(), path) != doomed.end();
  };
  for (const fs::path& thing : things_in_the_way(directory, kind)) {
    const fs::path path = directory / thing;
    bool all_go = goes(path);
    if (fs::is_directory(path)) {
      for (const auto& entry : fs::recursive_directory_iterator(path))
        all_go = all_go && goes(entry.path());
    }
    if (!all_go) throw_in_the_way(path, kind);
  }
}

}  // namespace

void add_output_flags(Parser& parser, OutputFlags& flags) {
  parser.add_path(
      "--resume",
      flags.resume,
      "auto: from the newest checkpoint of the output, from the start when "
      "there is none; or a run directory or checkpoint to resume from");
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
  if (!flags.resume.empty() && flags.resume != "auto") {
    RunOutput found = find_resume_point(flags.resume);
    std::error_code ignored;
    if (!flags.output.empty() &&
        !fs::equivalent(flags.output, found.directory, ignored)) {
      throw_caller_error(
          "--resume {} goes on in {}, but --output is {}; leave --output out, "
          "or copy the run there first and resume the copy",
          quote_text(flags.resume, 200),
          found.directory,
          quote_text(flags.output, 200));
    }
    return found;
  }
  return {flags.output.empty() ? of_the_recipe : flags.output, std::nullopt};
}

void refuse_things_in_the_way(const fs::path& directory, RunKind kind) {
  const auto things = things_in_the_way(directory, kind);
  if (!things.empty()) throw_in_the_way(directory / things.front(), kind);
}

void check_output(
    const OutputFlags& flags, const RunOutput& output, const RunPlan& plan) {
  const fs::path directory = output.directory;
  refuse_output_in_input(directory, plan);
  const auto kind = find_run_kind(directory);
  if (kind && *kind != plan.kind && !flags.overwrite)
    throw_other_kind(directory, *kind, flags);
  if (kind && flags.resume.empty() && !flags.overwrite) {
    throw_caller_error(
        "{}: holds a run already (of `{}`); resume it (--resume auto), "
        "choose another --output, or replace it (--overwrite)",
        directory.string(),
        command_of(*kind));
  }
  if (kind && flags.resume == "auto" && list_checkpoints(directory).empty() &&
      has_product(directory, plan.kind)) {
    throw_caller_error(
        "{}: holds a finished {} but no checkpoint to resume from; choose "
        "another --output, or --overwrite",
        directory.string(),
        product_of(plan.kind));
  }
  if (kind && flags.overwrite) {
    refuse_input_to_remove(directory, plan);
    refuse_what_would_stay(directory, plan.kind);
  } else {
    refuse_things_in_the_way(directory, plan.kind);
  }
}

namespace {

Checkpoint read_given_checkpoint(const fs::path& checkpoint) {
  try {
    return read_intact_checkpoint(checkpoint);
  } catch (const CallerError& error) {
    throw_caller_error(
        "--resume {}: the checkpoint is damaged ({}); resume from another one "
        "(--resume auto takes the newest that is intact)",
        quote_text(checkpoint.string(), 200),
        error.what());
  }
}

}  // namespace

std::optional<Checkpoint> open_output(
    const OutputFlags& flags, const RunOutput& output, const RunPlan& plan) {
  const fs::path directory = output.directory;
  check_output(flags, output, plan);
  if (output.checkpoint) return read_given_checkpoint(*output.checkpoint);
  if (!flags.resume.empty()) {
    auto checkpoint = newest_intact_checkpoint(directory);
    if (checkpoint) return checkpoint;
    if (holds_run(directory)) {
      log_info(
          "{}: its run has no checkpoint yet and begins again",
          directory.string());
    }
  }
  return std::nullopt;
}

void clear_output(const OutputFlags& flags, const RunOutput& output) {
  if (flags.overwrite) remove_run(output.directory);
}

void throw_other_recipe(const Checkpoint& checkpoint, const std::string& key) {
  throw_caller_error(
      "the recipe differs from {} in {}, which can change the result, if only "
      "by rounding; resume with the same value, or {}",
      (checkpoint.directory / "recipe.yaml").string(),
      key,
      cure_of_other_inputs(checkpoint));
}

void check_same_start(
    const Checkpoint& checkpoint,
    const PolicyOptions& before,
    const PolicyOptions& now) {
  const auto same_name = [](const auto& a, const auto& b) {
    return a.first == b.first;
  };
  if (!std::ranges::equal(before.start, now.start, same_name))
    throw_other_recipe(checkpoint, "policy.start");
  if (before.adapter.has_value() != now.adapter.has_value())
    throw_other_recipe(checkpoint, "policy.adapter");
}

void log_resumed(const Checkpoint& resume) {
  log_info(
      "resumed     after step {}, from {}",
      resume.state.step,
      resume.directory.string());
}

bool is_free_key(std::span<const char* const> keys, const std::string& key) {
  // Not `precision`.
  constexpr const char* kHeaderKeys[] = {
      "name",
      "description",
      "output",
      "device",
      "threads",
      "distributed.timeout"};
  const bool of_header =
      std::find(std::begin(kHeaderKeys), std::end(kHeaderKeys), key) !=
      std::end(kHeaderKeys);
  return of_header ||
         std::any_of(keys.begin(), keys.end(), [&](const std::string listed) {
           return key == listed || key.starts_with(listed + ".");
         });
}

void check_steps(const Checkpoint& checkpoint, const StepsChange& change) {
  const bool fixed_end = change.schedule != ScheduleShape::kConstant;
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

namespace {

void check_same_inputs(const Checkpoint& checkpoint, const InputHashes& now) {
  const auto& before = checkpoint.state.input_hashes;
  const auto refuse = [&](const std::string& name, const char* how) {
    throw_caller_error(
        "{} is not what {} was trained with ({}); put the old file back, or "
        "{}",
        name,
        checkpoint.directory.string(),
        how,
        cure_of_other_inputs(checkpoint));
  };
  const bool knows_all = checkpoint.state.format_version >= 2;
  for (const auto& [name, hash] : now) {
    const auto found = before.find(name);
    if (found == before.end() && knows_all) refuse(name, "it is new");
    if (found != before.end() && found->second != hash)
      refuse(name, "its hash differs");
  }
  for (const auto& [name, hash] : before)
    if (!now.contains(name)) refuse(name, "it is gone");
  if (knows_all) return;
  log_warning(
      "{} was saved by an earlier version of moft, which kept no hashes of "
      "configurations and tokenizers; they are taken as unchanged",
      checkpoint.directory.string());
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

}  // namespace

void check_resumed(
    const std::optional<Checkpoint>& resume,
    const InputHashes& hashes,
    const Compute& compute) {
  if (!resume) return;
  check_same_inputs(*resume, hashes);
  warn_of_other_machine(resume->state, compute);
}

int print_stopped(const RunOutcome& outcome, const std::string& command) {
  if (outcome.checkpoint) {
    write_log_line(fmt::format(
        "stopped after step {}; resume with: {} --resume auto",
        outcome.step,
        command));
  } else {
    write_log_line("stopped before the first step; nothing to resume");
  }
  // None came where another rank was asked to stop.
  const int signal = interrupted_by();
  return 128 + (signal != 0 ? signal : SIGTERM);
}

}  // namespace moft
