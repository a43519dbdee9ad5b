// GGUF, the file format of llama.cpp (versions 2 and 3, little-endian).
// Source: github.com/ggml-org/ggml, docs/gguf.md.
//
// Tensor names stay llama.cpp's ("blk.0.attn_q.weight"); models/ maps them.
// Shapes are turned into Hugging Face order (outermost first): the bytes are
// the same. Quantised blocks lie along the last dimension.
//
// Metadata stays in the mapping and is decoded when asked for
// (gguf_metadata.h); the whole structure is checked before the constructor
// returns. All failures are CallerErrors that name the file.
//
// A model that llama-gguf-split cut into files (NAME-00001-of-00003.gguf ..) is
// opened by its first file; the others are found beside it.
#pragma once

#include <map>

#include "moft/checkpoints/gguf_metadata.h"
#include "moft/checkpoints/tensor_source.h"
#include "moft/core/files.h"

namespace moft {

class GgufFile : public TensorSource, public GgufMetadata {
 public:
  // Refuses quantisations that moft does not read by name.
  explicit GgufFile(const std::filesystem::path& path);

  const std::vector<std::string>& names() const override { return names_; }
  std::optional<TensorView> find(std::string_view name) const override;
  std::string describe() const override {
    return files_.front().path().string();
  }

  // All files that hold the model, the first one first.
  std::vector<std::filesystem::path> paths() const;
  std::uint32_t version() const { return version_; }

 private:
  // Opens one file: its tensors are added, its metadata returned.
  GgufMetadata add_file(const std::filesystem::path& path);
  void add_other_parts();

  std::vector<MappedFile> files_;
  std::uint32_t version_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace moft
