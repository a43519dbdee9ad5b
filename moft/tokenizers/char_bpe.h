// Byte-pair encoding on characters, as Hugging Face `tokenizers` does it for
// Llama 2, TinyLlama and Mistral: a character without a token becomes the
// tokens of its bytes ("<0xE2>"), or the unknown token.
//
// Thread safety: immutable once built.
#pragma once

#include <optional>
#include <vector>

#include "moft/tokenizers/byte_bpe.h"
#include "moft/tokenizers/token_decoder.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

struct CharBpeSpec {
  Vocabulary vocabulary;              // the model's own, without added tokens
  std::vector<BpeMerge> merges = {};  // by rank
  bool ignore_merges = false;         // as in ByteBpeSpec
  bool byte_fallback = false;
  // None: such a character is left out.
  std::optional<TokenId> unknown = std::nullopt;
  bool fuse_unknown = false;
};

class CharBpe final : public PieceEncoder {
 public:
  explicit CharBpe(CharBpeSpec spec);

  void encode(std::string_view piece, std::vector<TokenId>& ids) const override;

 private:
  CharBpeSpec spec_;
  ByteBpe merges_;
  ByteTokens bytes_;  // none without byte_fallback
};

}  // namespace moft
