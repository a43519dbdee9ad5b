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

  // Appends the ids of normalised text without added tokens. `at_start`:
  // nothing comes before it, not even an added token. REQUIRES valid UTF-8.
  virtual void encode(
      std::string_view text,
      bool at_start,
      std::vector<TokenId>& ids) const = 0;
  // REQUIRES ids of the vocabulary.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;
  virtual std::string bytes(TokenId id) const = 0;
};

// How one piece of text, cut by a pre-tokeniser, becomes ids.
//
// Thread safety: immutable once built.
class PieceEncoder {
 public:
  virtual ~PieceEncoder() = default;

  // Appends the ids. REQUIRES valid UTF-8 that is not empty.
  virtual void encode(
      std::string_view piece, std::vector<TokenId>& ids) const = 0;
};

}  // namespace moft
