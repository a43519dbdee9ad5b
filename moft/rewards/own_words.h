// The words of an answer that it did not copy.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft {

// `answer` without the words of runs that are longer than `longest_quote` words
// and occur in `source`, case and punctuation at the ends of words aside; what
// is left is joined by single spaces. An answer without such runs comes back
// unchanged. Words: moft/core/words.h.
std::string own_words(
    std::string_view answer,
    std::string_view source,
    std::size_t longest_quote);

}  // namespace moft
