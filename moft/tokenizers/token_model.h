// What differs between kinds of tokenizer: how a stretch of ordinary text
// becomes ids, and how ids become text.
//
// Thread safety: immutable once built.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

class TokenModel {
 public:
  virtual ~TokenModel() = default;

  // Appends the ids of normalised text without added tokens. REQUIRES valid
  // UTF-8.
  virtual void encode(
      std::string_view text, std::vector<TokenId>& ids) const = 0;
  // REQUIRES ids of the vocabulary.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;
  virtual std::string bytes(TokenId id) const = 0;
};

}  // namespace moft
