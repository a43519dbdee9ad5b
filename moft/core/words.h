// Words in text of any script: what moft counts wherever it counts words.
//
// Words are the runs between Unicode White_Space. Scripts that put no spaces
// between words are counted by their signs: each ideograph and each kana is a
// word, and punctuation that touches one is not. Invisible characters
// (zero-width spaces and joiners, soft hyphens, variation selectors, control
// characters) make no word. Thai, Lao, Khmer and Burmese are written without
// spaces too, but need a dictionary: a stretch of them is one word.
//
// Thread safety: pure functions. Malformed UTF-8 counts as characters.
#pragma once

#include <string_view>
#include <vector>

namespace moft {

// The words in order, as parts of `text`. count_words (text.h) is their number.
std::vector<std::string_view> split_words(std::string_view text);

// True when nothing in `text` can be seen: white space and invisible
// characters alone.
bool is_blank(std::string_view text);

}  // namespace moft
