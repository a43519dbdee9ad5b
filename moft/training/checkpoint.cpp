// Checkpoints on the disk: written, listed, checked, read and removed.
#include "moft/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include <fmt/format.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/hash_text.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/temporaries.h"
#include "moft/core/text.h"
#include "moft/distributed/single_group.h"
#include "moft/distributed/together.h"
#include "moft/training/checkpoint_files.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kDamagedMark = "-damaged";
// From here on the state names shards; and from here on shards of masters.
constexpr std::int64_t kShardsVersion = 3;
constexpr std::int64_t kMasterShardsVersion = 4;

bool has_master_shards(const CheckpointState& state) {
  return state.format_version >= kMasterShardsVersion;
}

// The masters' files.
std::vector<std::string> master_files(const CheckpointState& state) {
  const auto ranks = static_cast<int>(state.ranks);
  return shard_files(kSteeringFile, has_master_shards(state) ? ranks : 1);
}

// The tensors' files that a checkpoint may have.
std::vector<std::string> known_files(const CheckpointState& state) {
  std::vector<std::string> files = tensor_files(static_cast<int>(state.ranks));
  for (std::string& name : master_files(state))
    files.push_back(std::move(name));
  return files;
}

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kStepPrefix)) return {};
  const char* first = name.data() + kStepPrefix.size();
  const char* last = name.data() + name.size();
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last || step < 1) return {};
  return step;
}

std::optional<std::int64_t> step_of(const fs::path& directory) {
  return step_of(directory.filename().string());
}

// The names of a checkpoint's files in `directory`.
std::vector<std::string> own_names(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (is_checkpoint_file(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool holds_checkpoint_files(const fs::path& directory) {
  return !own_names(directory).empty();
}

// A checkpoint that this version cannot judge is not damaged.
void refuse_newer_format(const fs::path& directory) {
  const fs::path file = directory / kStateFile;
  std::int64_t version = 0;
  try {
    version = parse_json(read_text(file, 1 << 20), file.string())
                  .at("format_version")
                  .get<std::int64_t>();
  } catch (const std::exception&) {
    return;  // reading it says what is wrong
  }
  if (version <= kCheckpointFormatVersion) return;
  throw_caller_error(
      "{}: has format_version {}, and this moft reads up to {}; resume with "
      "the newer moft that saved it",
      file.string(),
      version,
      kCheckpointFormatVersion);
}

// What the state names must be what a checkpoint of its ranks has, and all that
// training cannot go on without.
void check_names(const CheckpointState& state, const std::string& place) {
  const auto ranks = static_cast<int>(state.ranks);
  const std::vector<std::string> known = known_files(state);
  for (const auto& [name, hash] : state.file_hashes) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw_caller_error(
        "{}: names the file {}, which no checkpoint of {} rank{} has; resume "
        "from another checkpoint",
        place,
        quote_text(name),
        ranks,
        ranks == 1 ? "" : "s");
  }
  if (ranks == 1 && state.format_version < kShardsVersion) return;
  std::vector<std::string> needed = shard_files(kOptimizerFile, ranks);
  for (std::string& name : master_files(state))
    needed.push_back(std::move(name));
  if (state.file_hashes.contains(kValueFile)) {
    for (std::string& name : shard_files(kValueOptimizerFile, ranks))
      needed.push_back(std::move(name));
  }
  for (const std::string& name : needed) {
    if (state.file_hashes.contains(name)) continue;
    throw_caller_error(
        "{}: does not name {}, so the checkpoint is not complete; resume from "
        "another one",
        place,
        name);
  }
}

// One tensors' file of a checkpoint.
void check_file(const Checkpoint& checkpoint, const std::string& name) {
  const fs::path file = checkpoint.directory / name;
  const auto& hashes = checkpoint.state.file_hashes;
  const auto recorded = hashes.find(name);
  const bool first_format = checkpoint.state.format_version < 2;
  if (!first_format && recorded == hashes.end()) return;
  const bool needed = name == kSteeringFile || name == kOptimizerFile;
  if (first_format && !needed && !fs::exists(file)) return;
  const SafetensorsFile structure(file);
  if (recorded == hashes.end() || hash_file(file) == recorded->second) return;
  throw_caller_error(
      "{}: is damaged (its hash is not the one in {})",
      file.string(),
      kStateFile);
}

// Under its own name a checkpoint is complete or not there at all. What moft
// did not write stays.
void remove_checkpoint(const fs::path& path) {
  const auto is_foreign = [](const fs::directory_entry& entry) {
    return !is_checkpoint_file(entry.path().filename().string());
  };
  if (!is_checkpoint(path)) return;
  if (std::any_of(
          fs::directory_iterator(path), fs::directory_iterator(), is_foreign)) {
    for (const fs::path& file : files_of_checkpoint(path))
      fs::remove(file);
    return;
  }
  remove_whole_directory(path);
}

// Where rank 0 builds a checkpoint, once there is room for it.
std::unique_ptr<AtomicDirectory> start_checkpoint(
    const fs::path& run,
    const fs::path& path,
    const TrainerState& trainer,
    int ranks) {
  constexpr std::uint64_t kHeaders = 1 << 20;
  const auto shards = static_cast<std::uint64_t>(ranks);  // of about one size
  const std::uint64_t needed =
      bytes_of(trainer.masters) * (trainer.masters_in_parts ? shards : 1) +
      bytes_of(trainer.optimizer) * shards + bytes_of(trainer.sampler) +
      bytes_of(trainer.rewards) + bytes_of(trainer.value) +
      bytes_of(trainer.value_optimizer) * shards + bytes_of(trainer.best);
  require_free_space(run, needed + kHeaders * shards);
  fs::create_directories(checkpoints_of(run));
  if (holds_checkpoint_files(path) && !is_checkpoint(path)) {
    throw_caller_error(
        "{}: is in the way of a checkpoint and has no {}, so moft did not "
        "write it; move it away",
        path.string(),
        kStateFile);
  }
  return std::make_unique<AtomicDirectory>(path, IfExists::kReplace);
}

using Hashes = std::map<std::string, std::string>;

// Writes this rank's files and returns their hashes.
Hashes write_part(
    const fs::path& building,
    const TrainerState& trainer,
    int rank,
    int ranks) {
  if (!fs::is_directory(building)) {
    throw_world_error(
        "{}: is not there, although rank 0 has made it; put the output on a "
        "file system that all ranks share",
        building.string());
  }
  Hashes hashes;
  const auto write = [&](const std::string& name, const NamedTensors& tensors) {
    hashes[name] = write_tensors(building / name, tensors);
  };
  const auto write_shard = [&](const char* name, const NamedTensors& tensors) {
    write(shard_file(name, rank, ranks), tensors);
  };
  write_shard(kOptimizerFile, trainer.optimizer);
  if (!trainer.value.empty())
    write_shard(kValueOptimizerFile, trainer.value_optimizer);
  if (trainer.masters_in_parts) write_shard(kSteeringFile, trainer.masters);
  if (rank != 0) return hashes;
  if (!trainer.masters_in_parts) write(kSteeringFile, trainer.masters);
  if (!trainer.sampler.empty()) write(kSamplerFile, trainer.sampler);
  if (!trainer.rewards.empty()) write(kRewardsFile, trainer.rewards);
  if (!trainer.value.empty()) write(kValueFile, trainer.value);
  if (!trainer.best.empty()) write(kBestFile, trainer.best);
  return hashes;
}

// A process alone writes what it always wrote.
std::string print_state(const CheckpointState& state) {
  auto json = options_to_json(state);
  if (state.ranks == 1) json.erase("ranks");
  return json.dump(2) + "\n";
}

}  // namespace

fs::path checkpoints_of(const fs::path& run) {
  return run / "checkpoints";
}

std::vector<fs::path> list_checkpoints(const fs::path& run) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator entry(checkpoints_of(run), error), end;
       !error && entry != end;
       entry.increment(error)) {
    const auto step = step_of(entry->path());
    if (step && holds_checkpoint_files(entry->path()))
      found.emplace_back(*step, entry->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [step, path] : found)
    paths.push_back(std::move(path));
  return paths;
}

bool is_checkpoint(const fs::path& directory) {
  std::error_code ignored;
  return fs::is_regular_file(directory / kStateFile, ignored);
}

bool has_lost_its_state(const fs::path& directory) {
  std::error_code ignored;
  const auto is_there = [&](const char* name) {
    return fs::is_regular_file(directory / name, ignored);
  };
  const std::vector<std::string> names = own_names(directory);
  const auto has = [&](std::string_view start) {
    return std::ranges::any_of(names, [&](const std::string& name) {
      return name.starts_with(start);
    });
  };
  return !is_there(kStateFile) && is_there(kRecipeFile) && has("steering") &&
         has("optimizer");
}

std::vector<fs::path> list_own_checkpoints(const fs::path& run) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(checkpoints_of(run), error), end;
       !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool damaged = name.find(kDamagedMark) != std::string::npos;
    const auto step = step_of(name.substr(0, name.find(kDamagedMark)));
    if ((step || damaged) && is_checkpoint(entry->path()))
      paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> files_of_checkpoint(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const std::string& name : own_names(directory)) {
    if (name != kStateFile) files.push_back(directory / name);
  }
  if (is_checkpoint(directory)) files.push_back(directory / kStateFile);
  return files;
}

Checkpoint read_intact_checkpoint(const fs::path& directory) {
  Checkpoint checkpoint = read_checkpoint(directory);
  for (const std::string& name : known_files(checkpoint.state))
    check_file(checkpoint, name);
  return checkpoint;
}

std::optional<Checkpoint> newest_intact_checkpoint(const fs::path& run) {
  std::vector<fs::path> paths = list_checkpoints(run);
  if (paths.empty()) return {};
  std::vector<fs::path> damaged;
  std::string first_fault;
  for (; !paths.empty(); paths.pop_back()) {
    refuse_newer_format(paths.back());
    try {
      Checkpoint checkpoint = read_intact_checkpoint(paths.back());
      for (const fs::path& newer : damaged) {
        log_warning(
            "checkpoint {} is damaged and will be set aside ({}); "
            "resuming from {}",
            newer.string(),
            first_fault,
            paths.back().filename().string());
      }
      checkpoint.damaged = std::move(damaged);
      return checkpoint;
    } catch (const CallerError& error) {
      if (damaged.empty()) first_fault = error.what();
      damaged.push_back(paths.back());
    }
  }
  throw_caller_error(
      "{}: no checkpoint there is intact ({}); put the files back, or start "
      "afresh with --overwrite",
      checkpoints_of(run).string(),
      first_fault);
}

Checkpoint read_checkpoint(const fs::path& directory) {
  Checkpoint checkpoint;
  checkpoint.directory = directory;
  const fs::path file = directory / kStateFile;
  const std::string place = file.string();
  options_from_json(
      checkpoint.state, parse_json(read_text(file, 1 << 20), place), place);
  check_options(checkpoint.state, place);
  check_names(checkpoint.state, place);
  checkpoint.recipe = read_text(directory / kRecipeFile, kMaxSettingsBytes);
  if (hash_text(checkpoint.recipe) != checkpoint.state.recipe_hash) {
    throw_caller_error(
        "{}: is not the recipe that the checkpoint was saved with; resume "
        "from another checkpoint, or start afresh with --overwrite",
        (directory / kRecipeFile).string());
  }
  return checkpoint;
}

fs::path save_checkpoint(
    const fs::path& run,
    const TrainerState& trainer,
    CheckpointState state,
    const std::string& recipe,
    Group* given) {
  SingleGroup alone;
  Group& group = given != nullptr ? *given : alone;
  const bool first = group.rank() == 0;
  const int ranks = group.size();
  const fs::path path =
      checkpoints_of(run) / fmt::format("{}{}", kStepPrefix, trainer.step);
  std::unique_ptr<AtomicDirectory> target;
  const auto started = gather_results(group, [&] {
    if (!first) return std::string();
    target = start_checkpoint(run, path, trainer, ranks);
    return fs::absolute(target->building()).string();
  });
  const auto written = gather_results(group, [&] {
    return nlohmann::json(
               write_part(started.front(), trainer, group.rank(), ranks))
        .dump();
  });
  gather_results(group, [&] {
    if (!first) return std::string();
    state.step = trainer.step;
    state.epoch = trainer.cursor.epoch;
    state.position = static_cast<std::int64_t>(trainer.cursor.position);
    state.recipe_hash = hash_text(recipe);
    state.ranks = ranks;
    state.format_version = trainer.masters_in_parts ? kMasterShardsVersion
                           : ranks > 1              ? kShardsVersion
                                                    : kShardsVersion - 1;
    state.file_hashes.clear();
    for (const std::string& hashes : written)
      state.file_hashes.merge(nlohmann::json::parse(hashes).get<Hashes>());
    const fs::path& building = target->building();
    write_atomically(building / kRecipeFile, recipe);
    write_atomically(building / kStateFile, print_state(state));
    target->keep_others(is_checkpoint_file);
    target->commit();
    return std::string();
  });
  return path;
}

TrainerState load_checkpoint(const Checkpoint& checkpoint) {
  const fs::path& directory = checkpoint.directory;
  const auto ranks = static_cast<int>(checkpoint.state.ranks);
  TrainerState state;
  state.step = checkpoint.state.step;
  state.cursor = {
      static_cast<std::uint32_t>(checkpoint.state.epoch),
      static_cast<std::uint64_t>(checkpoint.state.position)};
  state.masters = map_tensors(directory, master_files(checkpoint.state));
  state.optimizer = map_tensors(directory, shard_files(kOptimizerFile, ranks));
  state.sampler = read_tensors_if_there(directory / kSamplerFile);
  state.rewards = read_tensors_if_there(directory / kRewardsFile);
  state.value = read_tensors_if_there(directory / kValueFile);
  if (fs::exists(directory / kValueFile)) {
    state.value_optimizer =
        map_tensors(directory, shard_files(kValueOptimizerFile, ranks));
  }
  state.best = read_tensors_if_there(directory / kBestFile);
  return state;
}

void set_aside(const fs::path& checkpoint) {
  const std::string name = checkpoint.string() + std::string(kDamagedMark);
  fs::path aside = name;
  for (int count = 2; fs::exists(aside); ++count)
    aside = fmt::format("{}-{}", name, count);
  std::error_code error;
  fs::rename(checkpoint, aside, error);
  if (error) {
    throw_world_error(
        "{}: cannot be renamed: {}", checkpoint.string(), error.message());
  }
}

void remove_later_checkpoints(const fs::path& run, std::int64_t step) {
  for (const fs::path& path : list_checkpoints(run)) {
    if (*step_of(path) <= step) continue;
    log_info(
        "removed     {}: the run resumes from step {}", path.string(), step);
    remove_checkpoint(path);
  }
}

void remove_old_checkpoints(const fs::path& run, std::int64_t keep) {
  const auto paths = list_checkpoints(run);
  const auto count = static_cast<std::int64_t>(paths.size());
  for (std::int64_t i = 0; i + keep < count; ++i)
    remove_checkpoint(paths[static_cast<std::size_t>(i)]);
}

}  // namespace moft
