// WordPiece as BERT uses it (Devlin et al., arXiv 1810.04805): words are cut
// at white space and punctuation; each becomes the longest known beginnings,
// the later ones written with a prefix ("##"); a word that cannot be covered
// is one unknown token.
//
// Thread safety: immutable once built.
#pragma once

#include <memory>
#include <string>

#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

// Hugging Face's BertNormalizer.
struct BertNormalizer {
  bool clean_text = true;        // drop control characters
  bool space_ideographs = true;  // a word per CJK ideograph
  bool strip_accents = true;
  bool lowercase = true;
};

std::string normalise_bert(std::string_view text, const BertNormalizer& rules);

struct WordPieceSpec {
  TokenId unknown = 0;
  std::string prefix = "##";
  std::size_t longest_word = 100;  // code points; longer words are unknown
  bool clean_up = true;            // decoding joins "do n't ." to "don't."
};

class WordPieceModel final : public TokenModel {
 public:
  WordPieceModel(
      std::shared_ptr<const Vocabulary> vocabulary, WordPieceSpec spec);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& ids)
      const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string bytes(TokenId id) const override;

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  WordPieceSpec spec_;
  std::size_t longest_token_ = 0;  // bytes
};

}  // namespace moft
