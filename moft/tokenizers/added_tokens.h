// Tokens that are found in the text before it is cut into pieces: special
// tokens such as `<|im_end|>` and whatever a model's makers added.
//
// Thread safety: immutable once built.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;
  bool left_strip = false;   // swallow white space before it
  bool right_strip = false;  // and after it
  bool single_word = false;  // only where no word character touches it
  bool normalized = false;   // look for it in the normalised text
};

std::unordered_set<TokenId> special_ids(const std::vector<AddedToken>& tokens);

// A stretch of text, or the added token found there.
struct Segment {
  std::string_view text;
  std::optional<TokenId> token;
};

class AddedTokenFinder {
 public:
  // Tokens with empty content are never found.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  // Leftmost match first, of those the longest. REQUIRES valid UTF-8.
  std::vector<Segment> split(std::string_view text, bool parse_special) const;

 private:
  struct Found {
    const AddedToken* token = nullptr;
    std::size_t length = 0;
  };
  Found longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  // A trie: (node, byte) -> node; token of a node, or -1.
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::int32_t> token_of_;
  std::array<bool, 256> starts_{};
};

}  // namespace moft
