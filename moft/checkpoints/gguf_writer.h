// Writes GGUF files, version 3 (the format: gguf.h).
//
// Thread safety: pure but for the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moft/checkpoints/gguf_metadata.h"
#include "moft/checkpoints/safetensors_writer.h"

namespace moft {

// Metadata in the order of the calls. A key is given once.
class GgufValues {
 public:
  void add_text(std::string_view key, std::string_view value);
  void add_u32(std::string_view key, std::int64_t value);
  void add_i32(std::string_view key, std::int64_t value);
  void add_f32(std::string_view key, double value);
  void add_bool(std::string_view key, bool value);
  void add_texts(std::string_view key, std::span<const std::string> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void append(const GgufValues& more);

  std::uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, std::size_t count);

  std::uint64_t count_ = 0;
  std::string bytes_;
};

// Streams the metadata and the tensors in their order to `path`, whole or not
// at all; shapes are in Hugging Face's order. CallerError for duplicate
// tensors, for types that GGUF lacks and for a provider with the wrong number
// of bytes; WorldError for the disk, whose room is checked first.
void write_gguf(
    const std::filesystem::path& path,
    const GgufValues& values,
    const std::vector<SafetensorsEntry>& tensors);

}  // namespace moft
