// The metadata of a GGUF file, by key, decoded when asked for.
//
// Keys and encodings were checked when the file was opened, so accessors fail
// on absent keys and wrong types only: CallerError, naming the file.
// Thread safety: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

class GgufMetadata {
 public:
  using Values = std::map<std::string, GgufValue, std::less<>>;

  GgufMetadata() = default;
  // The bytes of the values must outlive this. `place` is the file's path.
  GgufMetadata(std::string place, Values values)
      : place_(std::move(place)), values_(std::move(values)) {}

  const std::string& place() const { return place_; }
  // All metadata, by key.
  const Values& metadata() const { return values_; }
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
  // not say: by the kind of tokenizer. CallerError for a chat template that is
  // not named by a plain file name.
  GgufTokenizerData tokenizer_data() const;
  // The tokens that end a completion, as in llama.cpp: eos, eot and eom (in
  // this order), then every token whose text is a known end of a turn or of a
  // text, by id. Each once; empty without a tokenizer.
  std::vector<std::int32_t> end_tokens() const;

 private:
  const GgufValue& value(std::string_view key, bool is_array) const;

  std::string place_;
  Values values_;
};

// Whether llama.cpp puts the begin token before a prompt when the file has no
// `add_bos_token`: always for SentencePiece and WordPiece, for byte-pair
// encoding by the pre-tokenizer's name.
bool adds_bos_by_default(std::string_view model, std::string_view pre);

// Whether a chat template may have this name in a GGUF file: letters, digits,
// '_', '-' and '.', since names become files. Not "." and "..".
bool is_plain_name(std::string_view name);

}  // namespace moft
