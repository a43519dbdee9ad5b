// GGUF, the file format of llama.cpp (versions 2 and 3, little-endian).
// Source: github.com/ggml-org/ggml, docs/gguf.md.
//
// Tensor names stay llama.cpp's ("blk.0.attn_q.weight"); models/ maps them.
// Shapes are turned into Hugging Face order (outermost first): the bytes are
// the same. Quantised blocks lie along the last dimension.
//
// Metadata stays in the mapping and is decoded when asked for; the whole
// structure is checked before the constructor returns, so that accessors only
// fail on absent keys and wrong types. All failures are CallerErrors that name
// the file.
//
// A model that llama-gguf-split cut into files (NAME-00001-of-00003.gguf ..) is
// opened by its first file; the others are found beside it.
#pragma once

#include <map>

#include "moft/checkpoints/tensor_source.h"
#include "moft/core/files.h"
#include "moft/core/tokenizer_data.h"

namespace moft {

// The values are the format's.
enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
std::string_view gguf_type_name(GgufType type);

// One metadata value, still encoded. For an array `type` is the elements'.
struct GgufValue {
  GgufType type = GgufType::kU8;
  bool is_array = false;
  std::uint64_t count = 1;  // elements
  std::span<const std::byte> bytes;
};

class GgufFile : public TensorSource {
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
  // All metadata, by key.
  const std::map<std::string, GgufValue, std::less<>>& metadata() const {
    return metadata_;
  }
  bool has(std::string_view key) const;

  // One value. Integers of any width are one kind (range-checked); number()
  // takes integers and floating point. CallerError when absent or of another
  // type.
  std::int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

  // The same, with a value for an absent key. A wrong type still throws.
  std::int64_t integer_or(std::string_view key, std::int64_t otherwise) const;
  double number_or(std::string_view key, double otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string text_or(std::string_view key, std::string_view otherwise) const;

  // The `tokenizer.ggml.*` keys; ids are checked against the token list.
  // Whether a begin token is put first follows llama.cpp where the file does
  // not say: by the kind of tokenizer.
  GgufTokenizerData tokenizer_data() const;
  // The tokens that end a completion, as in llama.cpp: eos, eot and eom (in
  // this order), then every token whose text is a known end of a turn or of a
  // text, by id. Each once; empty without a tokenizer.
  std::vector<std::int32_t> end_tokens() const;

 private:
  using Metadata = std::map<std::string, GgufValue, std::less<>>;

  const GgufValue& value(std::string_view key, bool is_array) const;
  // Opens one file: its tensors are added, its metadata returned.
  Metadata add_file(const std::filesystem::path& path);
  void add_other_parts();

  std::vector<MappedFile> files_;
  std::uint32_t version_ = 0;
  Metadata metadata_;
  std::vector<std::string> names_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace moft
