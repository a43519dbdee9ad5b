// Written tokens by id and ids by written token.
//
// Thread safety: immutable once built; StringIndex::insert is for building.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

// A hash map from strings to positions in a vector of strings that somebody
// else owns and hands to each call.
class StringIndex {
 public:
  // Room for `capacity` strings; more than that must not be inserted.
  explicit StringIndex(std::size_t capacity = 0);

  // False when strings[id] equals a string that is here already.
  bool insert(const std::vector<std::string>& strings, TokenId id);

  // The position of `key`, or -1 (this is the innermost loop of encoding).
  TokenId find(
      const std::vector<std::string>& strings, std::string_view key) const;

 private:
  struct Slot {
    std::uint32_t tag = 0;
    TokenId id = -1;
  };

  std::vector<Slot> slots_;
};

struct VocabularyEntry {
  std::string written;
  TokenId id;
};

class Vocabulary {
 public:
  // Throws CallerError, naming `place`, for negative ids, two tokens with one
  // id, one token with two ids, empty vocabularies, or ids so far apart that
  // the file cannot mean them.
  Vocabulary(std::vector<VocabularyEntry> entries, std::string_view place);

  std::optional<TokenId> find(std::string_view written) const;
  bool contains(TokenId id) const;
  // REQUIRES contains(id).
  const std::string& written(TokenId id) const { return written_[id]; }
  // One more than the largest id.
  std::int64_t size() const {
    return static_cast<std::int64_t>(written_.size());
  }

 private:
  std::vector<std::string> written_;
  std::vector<bool> present_;
  StringIndex index_;
};

}  // namespace moft
