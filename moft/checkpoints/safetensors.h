// Hugging Face's safetensors format: an 8-byte length, a JSON header
// {name: {dtype, shape, data_offsets}}, then the tensors' bytes.
// Source: github.com/huggingface/safetensors (format description in README).
#pragma once

#include <map>
#include <unordered_map>

#include "moft/checkpoints/tensor_source.h"
#include "moft/core/files.h"

namespace moft {

using Metadata = std::map<std::string, std::string>;

// A memory-mapped safetensors file. Everything the header claims is checked
// before the constructor returns; CallerError names the file and what is
// wrong with it.
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

}  // namespace moft
