// Checkpoints on the disk: written, listed, checked, read and removed.
#include "moft/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/temporaries.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSteeringFile = "steering.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kSamplerFile = "sampler.safetensors";
constexpr const char* kRewardsFile = "rewards.safetensors";
constexpr const char* kValueFile = "value.safetensors";
constexpr const char* kValueOptimizerFile = "value_optimizer.safetensors";
constexpr const char* kBestFile = "best.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kRecipeFile = "recipe.yaml";
constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kDamagedMark = "-damaged";
constexpr const char* kTensorFiles[] = {
    kSteeringFile,
    kOptimizerFile,
    kSamplerFile,
    kRewardsFile,
    kValueFile,
    kValueOptimizerFile,
    kBestFile};

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

std::uint64_t bytes_of(const NamedTensors& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors)
    bytes += tensor.nbytes();
  return bytes;
}

// float32 or int64, as they are.
void write_tensors(const fs::path& path, const NamedTensors& tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    const bool counter = tensor.scalar_type() == at::kLong;
    const auto type = counter ? TensorType::kI64 : TensorType::kF32;
    const auto held = std::make_shared<at::Tensor>();
    entries.push_back(
        {name, type, tensor.sizes().vec(), [tensor = tensor, held] {
           *held = tensor.detach().to(at::kCPU).contiguous();
           return std::span<const std::byte>(
               static_cast<const std::byte*>(held->const_data_ptr()),
               held->nbytes());
         }});
  }
  write_safetensors(path, std::move(entries));
}

NamedTensors read_tensors(const fs::path& path) {
  const SafetensorsFile file(path);
  NamedTensors tensors;
  for (const std::string& name : file.names()) {
    const TensorView view = *file.find(name);
    const bool counter = view.type == TensorType::kI64;
    if (!counter && view.type != TensorType::kF32) {
      throw_caller_error(
          "{}: tensor '{}' is neither float32 nor int64; moft did not write "
          "this file",
          path.string(),
          name);
    }
    at::Tensor value = at::empty(view.shape, counter ? at::kLong : at::kFloat);
    if (!view.bytes.empty())
      std::memcpy(value.data_ptr(), view.bytes.data(), view.bytes.size());
    tensors.emplace(name, value);
  }
  return tensors;
}

std::string hash_text(const std::string& text) {
  return hash_bytes(std::as_bytes(std::span(text)));
}

bool is_checkpoint_file(const std::string& name) {
  return name == kRecipeFile || name == kStateFile ||
         std::ranges::any_of(
             kTensorFiles, [&](const char* known) { return name == known; });
}

bool holds_checkpoint_files(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end;
       entry.increment(error)) {
    if (is_checkpoint_file(entry->path().filename().string())) return true;
  }
  return false;
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

// One tensors' file of a checkpoint.
void check_file(const Checkpoint& checkpoint, const char* name) {
  const fs::path file = checkpoint.directory / name;
  const auto& hashes = checkpoint.state.file_hashes;
  const auto recorded = hashes.find(name);
  const bool first_format = checkpoint.state.format_version < 2;
  if (!first_format && recorded == hashes.end()) return;
  const bool needed = std::string_view(name) == kSteeringFile ||
                      std::string_view(name) == kOptimizerFile;
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
  return !is_there(kStateFile) && is_there(kRecipeFile) &&
         is_there(kSteeringFile) && is_there(kOptimizerFile);
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
  for (const char* name : kTensorFiles)
    files.push_back(directory / name);
  files.push_back(directory / kRecipeFile);
  files.push_back(directory / kStateFile);
  return files;
}

Checkpoint read_intact_checkpoint(const fs::path& directory) {
  Checkpoint checkpoint = read_checkpoint(directory);
  for (const char* name : kTensorFiles)
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
    const std::string& recipe) {
  state.step = trainer.step;
  state.epoch = trainer.cursor.epoch;
  state.position = static_cast<std::int64_t>(trainer.cursor.position);
  state.recipe_hash = hash_text(recipe);
  constexpr std::uint64_t kHeaders = 1 << 20;
  const fs::path path =
      checkpoints_of(run) / fmt::format("{}{}", kStepPrefix, trainer.step);
  const std::uint64_t needed =
      bytes_of(trainer.masters) + bytes_of(trainer.optimizer) +
      bytes_of(trainer.sampler) + bytes_of(trainer.rewards) +
      bytes_of(trainer.value) + bytes_of(trainer.value_optimizer) +
      bytes_of(trainer.best);
  require_free_space(run, needed + kHeaders);
  fs::create_directories(checkpoints_of(run));
  if (holds_checkpoint_files(path) && !is_checkpoint(path)) {
    throw_caller_error(
        "{}: is in the way of a checkpoint and has no {}, so moft did not "
        "write it; move it away",
        path.string(),
        kStateFile);
  }
  AtomicDirectory target(path, IfExists::kReplace);
  const fs::path& building = target.building();
  const auto write = [&](const char* name, const NamedTensors& tensors) {
    write_tensors(building / name, tensors);
    state.file_hashes[name] = hash_file(building / name);
  };
  write(kSteeringFile, trainer.masters);
  write(kOptimizerFile, trainer.optimizer);
  if (!trainer.sampler.empty()) write(kSamplerFile, trainer.sampler);
  if (!trainer.rewards.empty()) write(kRewardsFile, trainer.rewards);
  if (!trainer.value.empty()) {
    write(kValueFile, trainer.value);
    write(kValueOptimizerFile, trainer.value_optimizer);
  }
  if (!trainer.best.empty()) write(kBestFile, trainer.best);
  write_atomically(building / kRecipeFile, recipe);
  write_atomically(
      building / kStateFile, options_to_json(state).dump(2) + "\n");
  target.keep_others(is_checkpoint_file);
  target.commit();
  return path;
}

TrainerState load_checkpoint(const Checkpoint& checkpoint) {
  const fs::path& directory = checkpoint.directory;
  TrainerState state;
  state.step = checkpoint.state.step;
  state.cursor = {
      static_cast<std::uint32_t>(checkpoint.state.epoch),
      static_cast<std::uint64_t>(checkpoint.state.position)};
  state.masters = read_tensors(directory / kSteeringFile);
  state.optimizer = read_tensors(directory / kOptimizerFile);
  if (fs::exists(directory / kSamplerFile))
    state.sampler = read_tensors(directory / kSamplerFile);
  if (fs::exists(directory / kRewardsFile))
    state.rewards = read_tensors(directory / kRewardsFile);
  if (fs::exists(directory / kValueFile)) {
    state.value = read_tensors(directory / kValueFile);
    state.value_optimizer = read_tensors(directory / kValueOptimizerFile);
  }
  if (fs::exists(directory / kBestFile))
    state.best = read_tensors(directory / kBestFile);
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
