// Hugging Face's safetensors format: an 8-byte length, a JSON header
// {name: {dtype, shape, data_offsets}}, then the tensors' bytes.
// Source: github.com/huggingface/safetensors (format description in README).
#pragma once

#include <functional>
#include <map>
#include <unordered_map>

#include "moft/checkpoints/tensor_source.h"
#include "moft/core/files.h"

namespace moft {

using Metadata = std::map<std::string, std::string>;

// A memory-mapped safetensors file. Everything the header claims is checked
// before the constructor returns; CallerError names the file and what
// is wrong with it.
class SafetensorsFile : public TensorSource {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  // In the order of the data, as the file's writer meant it.
  const std::vector<std::string>& names() const override { return names_; }
  std::optional<TensorView> find(std::string_view name) const override;
  std::string describe() const override { return file_.path().string(); }
  const Metadata& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, TensorView> tensors_;
  Metadata metadata_;
};

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

}  // namespace moft
