// Names of a checkpoint's files, and tensors to and from them.
#include "moft/training/checkpoint_files.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".safetensors";
constexpr const char* kWholeFiles[] = {
    kSamplerFile, kRewardsFile, kValueFile, kBestFile};
constexpr const char* kShardedFiles[] = {kOptimizerFile, kValueOptimizerFile};

// "-2-of-3", with any two numbers.
bool is_shard_mark(std::string_view text) {
  const std::size_t middle = text.find("-of-");
  if (!text.starts_with('-') || middle == std::string_view::npos) return false;
  const auto is_number = [](std::string_view digits) {
    return !digits.empty() &&
           digits.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return is_number(text.substr(1, middle - 1)) &&
         is_number(text.substr(middle + 4));
}

bool is_sharded_file(std::string_view name, std::string_view file) {
  const std::string_view stem = file.substr(0, file.size() - kEnding.size());
  if (name == file) return true;
  if (!name.starts_with(stem) || !name.ends_with(kEnding)) return false;
  name.remove_prefix(stem.size());
  name.remove_suffix(std::min(name.size(), kEnding.size()));
  return is_shard_mark(name);
}

bool is_counter(const TensorView& view, const fs::path& path) {
  if (view.type == TensorType::kI64) return true;
  if (view.type == TensorType::kF32) return false;
  throw_caller_error(
      "{}: tensor {} is neither float32 nor int64; moft did not write this "
      "file",
      path.string(),
      quote_text(view.name));
}

at::Tensor copy_of(const TensorView& view, const fs::path& path) {
  at::Tensor value =
      at::empty(view.shape, is_counter(view, path) ? at::kLong : at::kFloat);
  if (!view.bytes.empty())
    std::memcpy(value.data_ptr(), view.bytes.data(), view.bytes.size());
  return value;
}

// The file's own memory, where it lies as its type wants it.
at::Tensor mapped(
    const TensorView& view, const std::shared_ptr<SafetensorsFile>& file) {
  const bool counter = is_counter(view, file->describe());
  const auto place = reinterpret_cast<std::uintptr_t>(view.bytes.data());
  const std::size_t alignment =
      counter ? alignof(std::int64_t) : alignof(float);
  if (view.bytes.empty() || place % alignment != 0)
    return copy_of(view, file->describe());
  return at::from_blob(
      const_cast<std::byte*>(view.bytes.data()),
      view.shape,
      [file](void*) {},
      counter ? at::kLong : at::kFloat);
}

}  // namespace

std::string shard_file(const std::string& file, int rank, int ranks) {
  if (ranks == 1) return file;
  return fmt::format(
      "{}-{}-of-{}{}",
      file.substr(0, file.size() - kEnding.size()),
      rank + 1,
      ranks,
      kEnding);
}

std::vector<std::string> shard_files(const std::string& file, int ranks) {
  std::vector<std::string> files;
  for (int rank = 0; rank < ranks; ++rank)
    files.push_back(shard_file(file, rank, ranks));
  return files;
}

std::vector<std::string> tensor_files(int ranks) {
  std::vector<std::string> files(
      std::begin(kWholeFiles), std::end(kWholeFiles));
  for (const char* sharded : kShardedFiles) {
    for (std::string& file : shard_files(sharded, ranks))
      files.push_back(std::move(file));
  }
  return files;
}

bool is_checkpoint_file(const std::string& name) {
  return name == kRecipeFile || name == kStateFile ||
         std::ranges::find(kWholeFiles, name) != std::end(kWholeFiles) ||
         is_sharded_file(name, kSteeringFile) ||
         std::ranges::any_of(kShardedFiles, [&](const char* file) {
           return is_sharded_file(name, file);
         });
}

std::uint64_t bytes_of(const NamedTensors& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors)
    bytes += tensor.nbytes();
  return bytes;
}

std::string write_tensors(const fs::path& path, const NamedTensors& tensors) {
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
  return hash_file(path);
}

NamedTensors read_tensors(const fs::path& path) {
  const SafetensorsFile file(path);
  NamedTensors tensors;
  for (const std::string& name : file.names())
    tensors.emplace(name, copy_of(*file.find(name), path));
  return tensors;
}

NamedTensors read_tensors_if_there(const fs::path& path) {
  return fs::exists(path) ? read_tensors(path) : NamedTensors{};
}

NamedTensors map_tensors(
    const fs::path& directory, const std::vector<std::string>& files) {
  NamedTensors tensors;
  for (const std::string& name : files) {
    const auto file = std::make_shared<SafetensorsFile>(directory / name);
    for (const std::string& tensor : file->names()) {
      if (tensors.emplace(tensor, mapped(*file->find(tensor), file)).second)
        continue;
      throw_caller_error(
          "{}: tensor {} is in the file of another rank too; resume from an "
          "intact checkpoint",
          file->describe(),
          quote_text(tensor));
    }
  }
  return tensors;
}

}  // namespace moft
