// From written tokens back to text: the steps of Hugging Face `tokenizers`'
// decoders.
//
// Thread safety: immutable once built.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/vocabulary.h"

namespace moft {

struct DecodeStep {
  enum class Kind {
    kReplace,       // in every token, `what` becomes `by`
    kByteFallback,  // runs of "<0x0A>" become the text of their bytes
    kFuse,          // the tokens become one
    kStrip,         // every token loses up to `left` times `what` in front
    kMetaspace,     // U+2581 becomes a space; in the first token it goes when
                    // `drop_first`
    kByteLevel,     // the tokens become the text of the bytes that their
                    // characters stand for (byte_bpe.h)
  };
  Kind kind = Kind::kReplace;
  std::string what;
  std::string by;
  std::size_t left = 0;
  std::size_t right = 0;
  bool drop_first = true;
};

// The byte that a token written "<0x0A>" stands for.
std::optional<char> byte_of_token(std::string_view written);

// The tokens "<0x00>" to "<0xFF>" of a vocabulary.
class ByteTokens {
 public:
  // None of them.
  ByteTokens() { ids_.fill(-1); }
  explicit ByteTokens(const Vocabulary& vocabulary);

  bool complete() const;
  // Appends the tokens of all bytes; false, and nothing, where one has none.
  bool append(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  std::array<TokenId, 256> ids_;  // -1: none
};

class TokenDecoder {
 public:
  explicit TokenDecoder(std::vector<DecodeStep> steps)
      : steps_(std::move(steps)) {}

  // A run of byte tokens that is not UTF-8 gives one U+FFFD for each.
  std::string decode(std::vector<std::string> tokens) const;
  // What one token adds to a text, whatever comes before it.
  std::string bytes(std::string_view written) const;

 private:
  std::vector<DecodeStep> steps_;
};

// What Llama's tokenizers do: U+2581 is a space, byte tokens are bytes, one
// space at the beginning goes when `strip`.
TokenDecoder llama_decoder(bool strip);

// What byte-level tokenizers do.
TokenDecoder byte_level_decoder();

}  // namespace moft
