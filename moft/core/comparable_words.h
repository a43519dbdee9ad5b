// Words as they are compared between texts.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

// One word of split_words (words.h): `text` is the part of the text that it
// is, `plain` its lower-cased (ASCII) form without ASCII punctuation at both
// ends, never empty.
struct ComparableWord {
  std::string_view text;
  std::string plain;
};

// The words of `text` in order; those of punctuation alone are left out.
std::vector<ComparableWord> comparable_words(std::string_view text);

// All runs of `n` words in order, in their plain form, joined by a character
// that no word contains; none for fewer words. `n` is at least 1.
std::vector<std::string> word_runs(
    const std::vector<ComparableWord>& words, std::size_t n);

}  // namespace moft
