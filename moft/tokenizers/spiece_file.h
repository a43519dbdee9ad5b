// A SentencePiece model file: the check before the library reads it.
//
// The library trusts its files: it follows the offsets of the normaliser's
// trie wherever they lead. So every field, and every place that the trie can
// reach, is checked here first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace moft {

enum class PieceKind {
  kNormal = 1,
  kUnknown,
  kControl,
  kUserDefined,
  kUnused,
  kByte
};

struct Piece {
  std::string text;  // U+2581 stands for a space
  PieceKind kind = PieceKind::kNormal;
  float score = 0;
};

struct SpieceFile {
  std::vector<Piece> pieces;  // by id
  bool unigram = true;        // else byte-pair encoding
  bool adds_prefix = true;    // a space before the text
  bool maps_characters = false;
  std::int32_t bos = 1;  // -1: none
  std::int32_t eos = 2;
};

// What the file is for: T5's tokenizer is a unigram model without bytes as a
// last resort; a decoder's may be byte-pair encoding and have them.
enum class SpieceUse { kT5, kDecoder };

// Throws CallerError, naming `place`, for bytes that are not a SentencePiece
// model or one that is not of this use, or writes white space as a suffix.
SpieceFile check_spiece_file(
    std::string_view bytes, const std::string& place, SpieceUse use);

// Hands checked bytes to the library. Throws CallerError with its complaint.
std::unique_ptr<sentencepiece::SentencePieceProcessor> make_spm_processor(
    const std::string& bytes, const std::string& place);

}  // namespace moft
