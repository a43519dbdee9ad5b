// The check of a SentencePiece model file before the library reads it.
//
// The library trusts its files: it follows the offsets of the normaliser's
// trie wherever they lead. So every field, and every place that the trie can
// reach, is checked here first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

enum class PieceKind { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused };

struct Piece {
  std::string text;  // U+2581 stands for a space
  PieceKind kind = PieceKind::kNormal;
};

// The pieces by id. Throws CallerError, naming `place`, for bytes that are no
// SentencePiece model or one that T5's tokenizer cannot be: not a unigram
// model, bytes as a last resort, white space as a suffix.
std::vector<Piece> check_spiece_file(
    std::string_view bytes, const std::string& place);

}  // namespace moft
