// SentencePiece's table of characters and what they become: the size of a
// trie, the trie (a double array of darts-clone's units), then the
// replacements, each closed by a zero byte.
//
// Thread safety: immutable once built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

class CharacterMap {
 public:
  // Follows every path of the trie. Throws CallerError, naming `place`, for a
  // table that leads out of itself.
  CharacterMap(std::string_view bytes, const std::string& place);

  // As Hugging Face `tokenizers` applies the table: to a grapheme of up to 5
  // bytes as a whole, by the shortest entry that it begins with, else to each
  // of its characters. (SentencePiece takes the longest entry at each place;
  // the two agree but for rare marks.) REQUIRES valid UTF-8.
  std::string normalise(std::string_view text) const;

 private:
  [[noreturn]] void damaged() const;
  void check() const;
  void check_value(std::uint32_t value) const;
  std::optional<std::string_view> find(std::string_view text) const;

  std::string place_;
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace moft
