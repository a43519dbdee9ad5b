// Byte-level byte-pair encoding after a pre-tokeniser: GPT-2, SmolLM, Llama 3,
// Qwen.
//
// Thread safety: immutable once built.
#pragma once

#include <memory>

#include "moft/tokenizers/byte_bpe.h"
#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

class BpeModel final : public TokenModel {
 public:
  BpeModel(
      std::shared_ptr<const Vocabulary> vocabulary,
      PreTokenizer pre_tokenizer,
      ByteBpeSpec spec);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& ids)
      const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string bytes(TokenId id) const override;

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  PreTokenizer pre_tokenizer_;
  ByteBpe bpe_;
};

}  // namespace moft
