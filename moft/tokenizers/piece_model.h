// Tokenizers in three steps: a pre-tokeniser, then byte-pair encoding or a
// unigram model on each piece, then a decoder. They work on bytes (GPT-2,
// SmolLM, Llama 3, Qwen) or on characters, with U+2581 for a space.
//
// Thread safety: immutable once built.
#pragma once

#include <memory>

#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/token_decoder.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

class PieceModel final : public TokenModel {
 public:
  PieceModel(
      std::shared_ptr<const Vocabulary> vocabulary,
      PreTokenizer pre_tokenizer,
      std::unique_ptr<const PieceEncoder> encoder,
      TokenDecoder decoder);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& ids)
      const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string bytes(TokenId id) const override;

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<const PieceEncoder> encoder_;
  TokenDecoder decoder_;
};

}  // namespace moft
