#include "moft/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, at::Tensor>;

constexpr const char* kSteeringFile = "steering.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kValueFile = "value.safetensors";
constexpr const char* kValueOptimizerFile = "value_optimizer.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kRecipeFile = "recipe.yaml";
constexpr std::string_view kStepPrefix = "step-";

std::optional<std::int64_t> step_of(const fs::path& directory) {
  const std::string name = directory.filename().string();
  if (!name.starts_with(kStepPrefix)) return {};
  const char* first = name.data() + kStepPrefix.size();
  const char* last = name.data() + name.size();
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last || step < 1) return {};
  return step;
}

std::uint64_t bytes_of(const Tensors& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors)
    bytes += tensor.nbytes();
  return bytes;
}

// float32 or int64, as they are.
void write_tensors(const fs::path& path, const Tensors& tensors) {
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

Tensors read_tensors(const fs::path& path) {
  const SafetensorsFile file(path);
  Tensors tensors;
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

void read_masters(const fs::path& path, Conditioning& conditioning) {
  const Tensors tensors = read_tensors(path);
  std::size_t used = 0;
  conditioning.load([&](const std::string& name,
                        const std::vector<std::int64_t>& shape) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != shape ||
        found->second.scalar_type() != at::kFloat) {
      throw_caller_error(
          "{}: tensor '{}' is missing or has another shape; resume with the "
          "recipe that wrote it",
          path.string(),
          name);
    }
    ++used;
    return found->second;
  });
  if (used != tensors.size()) {
    throw_caller_error(
        "{}: holds {} tensors, but the recipe trains {}; resume with the "
        "recipe that wrote it",
        path.string(),
        tensors.size(),
        used);
  }
}

// Under its own name a checkpoint is complete or not there at all; the next
// run cleans up what a crash leaves of the other name.
void remove_checkpoint(const fs::path& path) {
  const fs::path doomed =
      path.parent_path() /
      fmt::format(".{}.tmp-{}-removed", path.filename().string(), ::getpid());
  fs::rename(path, doomed);
  fs::remove_all(doomed);
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
    if (step) found.emplace_back(*step, entry->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [step, path] : found)
    paths.push_back(std::move(path));
  return paths;
}

Checkpoint read_checkpoint(const fs::path& directory) {
  Checkpoint checkpoint{directory, {}, {}};
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
    const SteeredPolicy& policy,
    const TrainerState& trainer,
    CheckpointState state,
    const std::string& recipe) {
  state.step = trainer.step;
  state.epoch = trainer.cursor.epoch;
  state.position = static_cast<std::int64_t>(trainer.cursor.position);
  state.recipe_hash = hash_text(recipe);
  const Tensors masters = policy.conditioning()->tensors();
  constexpr std::uint64_t kHeaders = 1 << 20;
  const fs::path path =
      checkpoints_of(run) / fmt::format("{}{}", kStepPrefix, trainer.step);
  const std::uint64_t needed = bytes_of(masters) + bytes_of(trainer.optimizer) +
                               bytes_of(trainer.value) +
                               bytes_of(trainer.value_optimizer);
  require_free_space(run, needed + kHeaders);
  fs::create_directories(checkpoints_of(run));
  AtomicDirectory target(path, IfExists::kReplace);
  const fs::path& building = target.building();
  write_tensors(building / kSteeringFile, masters);
  write_tensors(building / kOptimizerFile, trainer.optimizer);
  if (!trainer.value.empty()) {
    write_tensors(building / kValueFile, trainer.value);
    write_tensors(building / kValueOptimizerFile, trainer.value_optimizer);
  }
  write_atomically(building / kRecipeFile, recipe);
  write_atomically(
      building / kStateFile, options_to_json(state).dump(2) + "\n");
  target.commit();
  return path;
}

TrainerState load_checkpoint(
    const Checkpoint& checkpoint, SteeredPolicy& policy) {
  read_masters(checkpoint.directory / kSteeringFile, *policy.conditioning());
  TrainerState state;
  state.step = checkpoint.state.step;
  state.cursor = {
      static_cast<std::uint32_t>(checkpoint.state.epoch),
      static_cast<std::uint64_t>(checkpoint.state.position)};
  state.optimizer = read_tensors(checkpoint.directory / kOptimizerFile);
  if (fs::exists(checkpoint.directory / kValueFile)) {
    state.value = read_tensors(checkpoint.directory / kValueFile);
    state.value_optimizer =
        read_tensors(checkpoint.directory / kValueOptimizerFile);
  }
  return state;
}

void remove_later_checkpoints(const fs::path& run, std::int64_t step) {
  for (const fs::path& path : list_checkpoints(run)) {
    if (*step_of(path) > step) remove_checkpoint(path);
  }
}

void remove_old_checkpoints(const fs::path& run, std::int64_t keep) {
  const auto paths = list_checkpoints(run);
  const auto count = static_cast<std::int64_t>(paths.size());
  for (std::int64_t i = 0; i + keep < count; ++i)
    remove_checkpoint(paths[static_cast<std::size_t>(i)]);
}

}  // namespace moft
