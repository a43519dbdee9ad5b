// SentencePiece's byte-pair encoding: of all neighbours that together are a
// token, those with the highest score are joined first, leftmost first where
// scores are equal. Text that is not a token in the end becomes its bytes
// ("<0xE2>").
//
// Thread safety: immutable once built.
#pragma once

#include <optional>
#include <vector>

#include "moft/tokenizers/token_decoder.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

struct ScoredBpeSpec {
  std::vector<VocabularyEntry> pieces;  // that text can become
  std::vector<float> scores;            // by id
  ByteTokens bytes;
  std::optional<TokenId> unknown;  // for characters without bytes
};

class ScoredBpe final : public PieceEncoder {
 public:
  // Throws CallerError, naming `place`, for pieces that do not make a
  // vocabulary.
  ScoredBpe(ScoredBpeSpec spec, std::string_view place);

  void encode(std::string_view piece, std::vector<TokenId>& ids) const override;

 private:
  ScoredBpeSpec spec_;
  Vocabulary pieces_;
};

}  // namespace moft
