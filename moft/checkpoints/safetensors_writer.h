// Writes safetensors files (the format: safetensors.h).
//
// Thread safety: pure but for the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "moft/checkpoints/safetensors.h"

namespace moft {

// The bytes of one tensor, little-endian and row-major. Called once, when its
// turn to be written comes; they must stay valid until the next call, so that
// a provider may fill one buffer over and over.
using BytesProvider = std::function<std::span<const std::byte>()>;

struct SafetensorsEntry {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;
  BytesProvider bytes;
};

// Streams the entries to `path`, whole or not at all. The layout depends on
// the entries only, not on their order: types of larger alignment first, then
// by name, as safetensors' own writer does. CallerError for duplicate names,
// types that the format lacks, or a provider with the wrong number of bytes;
// WorldError for the disk, whose room is checked first.
void write_safetensors(
    const std::filesystem::path& path,
    std::vector<SafetensorsEntry> entries,
    const Metadata& metadata = {});

// A model's tensors in `directory`: model.safetensors, or, when they have more
// than `shard_bytes`, files of at most as many (a larger tensor has a file of
// its own) in the order of the entries, and model.safetensors.index.json.
void write_model_tensors(
    const std::filesystem::path& directory,
    std::vector<SafetensorsEntry> entries,
    std::uint64_t shard_bytes,
    const Metadata& metadata = {});

}  // namespace moft
