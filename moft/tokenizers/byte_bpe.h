// Byte-level byte-pair encoding (Sennrich et al., arXiv 1508.07909; Radford
// et al., GPT-2, 2019): a piece of text starts as bytes; the adjacent pair with
// the lowest rank, leftmost first, is merged until no pair is known.
//
// Thread safety: immutable once built.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

// The bytes that a written token ("Ġthe" for " the") stands for; nothing when
// one of its characters stands for no byte.
std::optional<std::string> bytes_of_written(std::string_view written);

struct BpeMerge {
  TokenId left;
  TokenId right;
  TokenId result;
};

// Nothing where one of the two, or both together, is not in the vocabulary.
std::optional<BpeMerge> find_merge(
    const Vocabulary& vocabulary,
    const std::string& left,
    const std::string& right);

struct ByteBpeSpec {
  // Bytes by id; an empty string is an id that encoding never gives.
  std::vector<std::string> pieces;
  std::vector<BpeMerge> merges;  // by rank; of equal pairs the last one counts
  // A piece that is a token as a whole is that token, whatever the merges say.
  bool ignore_merges = false;
  // What a byte without a token becomes; nothing: it is left out.
  std::optional<TokenId> unknown;
  bool fuse_unknown = false;
};

class ByteBpe final : public PieceEncoder {
 public:
  explicit ByteBpe(ByteBpeSpec spec);

  // Appends the ids of one piece. Linear in its length times its logarithm.
  void encode(std::string_view piece, std::vector<TokenId>& ids) const override;
  // Merges the ids from `first` on, which are the symbols of one piece.
  void merge(std::vector<TokenId>& ids, std::size_t first) const;

 private:
  struct Pair {
    std::uint64_t key = 0;
    std::uint32_t rank = 0;
    TokenId result = -1;  // -1: an empty slot
  };
  static constexpr std::uint32_t kNoRank = 0xffffffff;

  Pair find_pair(TokenId left, TokenId right) const;
  void add_pair(const BpeMerge& merge, std::uint32_t rank);
  void merge_bytes(std::string_view piece, std::vector<TokenId>& ids) const;
  void merge_short(std::vector<TokenId>& ids, std::size_t first) const;
  void merge_long(std::vector<TokenId>& ids, std::size_t first) const;

  ByteBpeSpec spec_;
  std::array<TokenId, 256> byte_ids_;
  std::vector<Pair> pairs_;
  StringIndex whole_;  // pieces that encode to themselves
};

}  // namespace moft
