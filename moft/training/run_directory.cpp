// Recognises runs and lists their files.
#include "moft/training/run_directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/report_files.h"
#include "moft/generation/model_files.h"
#include "moft/training/checkpoint.h"
#include "moft/training/metrics_writer.h"

namespace moft {

static constexpr EnumNames<RunKind, 6> enum_names(RunKind /*unused*/) {
  return {
      {{RunKind::kTrain, "train"},
       {RunKind::kSft, "sft"},
       {RunKind::kSoup, "soup"},
       {RunKind::kReward, "reward"},
       {RunKind::kDpo, "dpo"},
       {RunKind::kCombine, "combine"}}};
}

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRunFormatVersion = 1;

struct RunFile {
  std::int64_t format_version = kRunFormatVersion;
  RunKind kind = RunKind::kTrain;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kRunFormatVersion));
    v("kind", kind, Help{"the command that made the run"});
  }
};

constexpr const char* kLogFiles[] = {kMetricsFile, kSamplesFile, kEventFile};
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

// A published folder has this file.
const char* mark_of(const std::string& folder) {
  return folder == kPolicyDirectory ? kPolicyDefinitionFile : kExportNoteFile;
}

bool is_published(const fs::path& run, const std::string& folder) {
  return is_there(run / folder / mark_of(folder));
}

// A section at the top level of a recipe as moft prints it.
bool has_section(const std::string& recipe, std::string_view name) {
  const std::string line = std::string(name) + ":";
  return recipe.starts_with(line) ||
         recipe.find("\n" + line) != std::string::npos;
}

bool holds_checkpoint(const fs::path& directory) {
  const auto found = list_checkpoints(directory);
  return std::ranges::any_of(found, is_checkpoint);
}

// Kind of a directory older than moft_run.json.
std::optional<RunKind> recognise(const fs::path& directory) {
  const fs::path file = directory / kRecipeFile;
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  const std::string recipe = read_text(file);
  const bool trained =
      holds_checkpoint(directory) || is_there(directory / kEventFile);
  if (has_section(recipe, "sft") &&
      (trained || is_published(directory, kModelDirectory))) {
    return RunKind::kSft;
  }
  if (!has_section(recipe, "training")) return {};
  if (trained) return RunKind::kTrain;
  if (is_published(directory, kPolicyDirectory)) return RunKind::kSoup;
  return {};
}

// The files of a published folder, its mark last.
void add_published(
    std::vector<fs::path>& files,
    const fs::path& run,
    const std::string& folder) {
  if (!is_published(run, folder)) return;
  const fs::path directory = run / folder;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (is_model_file(name) && name != mark_of(folder))
      files.push_back(entry.path());
  }
  files.push_back(directory / mark_of(folder));
  files.push_back(directory);
}

// The run's report, and those of its steps.
std::vector<fs::path> reports_in(const fs::path& run) {
  std::vector<fs::path> reports;
  for (const auto& entry : fs::directory_iterator(run)) {
    const std::string name = entry.path().filename();
    const bool named = name == "report" || name.starts_with("report-step-");
    if (named && is_report(entry.path())) reports.push_back(entry.path());
  }
  std::sort(reports.begin(), reports.end());
  return reports;
}

}  // namespace

const char* command_of(RunKind kind) {
  switch (kind) {
    case RunKind::kTrain:
      return "moft train";
    case RunKind::kSft:
      return "moft sft";
    case RunKind::kReward:
      return "moft reward train";
    case RunKind::kDpo:
      return "moft dpo";
    case RunKind::kCombine:
      return "moft combine";
    case RunKind::kSoup:
      break;
  }
  return "moft soup";
}

const char* product_of(RunKind kind) {
  const bool model = kind == RunKind::kSft || kind == RunKind::kReward;
  return model ? kModelDirectory : kPolicyDirectory;
}

std::optional<RunKind> find_run_kind(const fs::path& directory) {
  const fs::path file = directory / kRunFile;
  if (!is_there(file)) return recognise(directory);
  RunFile run;
  const std::string place = file.string();
  options_from_json(run, parse_json(read_text(file, 1 << 16), place), place);
  check_options(run, place);
  return run.kind;
}

void write_run_kind(const fs::path& directory, RunKind kind) {
  RunFile run;
  run.kind = kind;
  write_atomically(directory / kRunFile, options_to_json(run).dump(2) + "\n");
}

bool holds_run(const fs::path& directory) {
  return find_run_kind(directory).has_value();
}

std::vector<fs::path> things_in_the_way(
    const fs::path& directory, RunKind kind) {
  std::vector<fs::path> found;
  const bool is_run = holds_run(directory);
  if (!is_run) {
    if (is_there(directory / kRecipeFile)) found.emplace_back(kRecipeFile);
    for (const char* name : kLogFiles)
      if (is_there(directory / name)) found.emplace_back(name);
  }
  const std::string product = product_of(kind);
  if (is_in_the_way(directory / product, mark_of(product)) ||
      (!is_run && is_published(directory, product))) {
    found.emplace_back(product);
  }
  for (const fs::path& path : list_checkpoints(directory)) {
    const bool own =
        is_run && (is_checkpoint(path) || has_lost_its_state(path));
    if (!own) found.push_back(fs::path("checkpoints") / path.filename());
  }
  return found;
}

std::vector<fs::path> files_of_run(const fs::path& directory) {
  std::vector<fs::path> files;
  const auto kind = find_run_kind(directory);
  if (!kind) return files;
  const auto add = [&](const fs::path& path) {
    if (is_there(path)) files.push_back(path);
  };
  for (const fs::path& path : list_own_checkpoints(directory)) {
    for (const fs::path& file : files_of_checkpoint(path))
      add(file);
    add(path);
  }
  add(checkpoints_of(directory));
  add_published(files, directory, product_of(*kind));
  if (product_of(*kind) == std::string_view(kPolicyDirectory)) {
    for (const fs::path& report : reports_in(directory)) {
      for (const char* name : kReportFiles)
        add(report / name);
      add(report);
    }
  }
  for (const char* name : kLogFiles)
    add(directory / name);
  add(directory / kRecipeFile);
  add(directory / kRunFile);
  return files;
}

void remove_run(const fs::path& directory) {
  const auto kind = find_run_kind(directory);
  if (!kind) return;
  write_run_kind(directory, *kind);
  for (const fs::path& path : files_of_run(directory)) {
    std::error_code error;
    fs::remove(path, error);  // a folder only when it is empty
    if (error && error != std::errc::directory_not_empty &&
        error != std::errc::no_such_file_or_directory) {
      throw_world_error(
          "{}: cannot be removed: {}", path.string(), error.message());
    }
  }
}

RunLock::RunLock(const fs::path& directory) {
  ensure_writable_directory(directory);
  const fs::path path = directory / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  // A file system without locks must not keep anybody from training.
  if (descriptor_ >= 0 && reason != EWOULDBLOCK) {
    descriptor_ = -1;
    return;
  }
  if (reason == EWOULDBLOCK) {
    throw_caller_error(
        "{}: another moft process is training there; wait for it or choose "
        "another output",
        directory.string());
  }
  throw_world_error(
      "{}: cannot be written: {}", path.string(), std::strerror(reason));
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace moft
