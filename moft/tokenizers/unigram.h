// SentencePiece's unigram model (Kudo, arXiv 1804.10959) as Hugging Face
// `tokenizers` runs it: of all ways to cut a piece into tokens, the one whose
// scores add up to most.
//
// Thread safety: immutable once built.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "moft/tokenizers/token_decoder.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

// Strings by their bytes, to find all that a text begins with.
class ByteTrie {
 public:
  static constexpr std::uint32_t kRoot = 0;
  static constexpr std::uint32_t kNone = 0xffffffff;

  // Room for the bytes of all strings together.
  explicit ByteTrie(std::size_t bytes);
  void insert(std::string_view text, TokenId id);
  // The node one byte further, or kNone; and what ends there, or -1.
  std::uint32_t next(std::uint32_t node, char byte) const;
  TokenId at(std::uint32_t node) const { return ids_[node]; }

 private:
  struct Edge {
    std::uint64_t key = 0;  // 0: empty; else node and byte, plus 1
    std::uint32_t node = 0;
  };
  Edge& slot(std::uint32_t node, char byte);

  std::vector<Edge> edges_;
  std::vector<TokenId> ids_;  // by node
};

struct UnigramSpec {
  std::vector<VocabularyEntry> pieces;  // that text can become
  std::vector<double> scores;           // by id
  double lowest_score = 0;              // of the whole file
  TokenId unknown = 0;
  ByteTokens bytes = {};  // none: no byte fallback
};

class Unigram final : public PieceEncoder {
 public:
  explicit Unigram(UnigramSpec spec);

  void encode(std::string_view piece, std::vector<TokenId>& ids) const override;

 private:
  UnigramSpec spec_;
  ByteTrie trie_;
};

}  // namespace moft
