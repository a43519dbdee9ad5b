// The Porter stemmer as NLTK runs it by default.
//
// M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with
// the departures of NLTK's PorterStemmer (mode NLTK_EXTENSIONS), which is what
// Google's rouge-score calls: a pool of irregular words, ies / ied of
// four-letter words give ie, y becomes i only after a consonant that is not
// the first letter, alli is taken off before step 2 runs again, fulli and logi
// are suffixes of step 2, and a word of two letters, vowel and consonant,
// counts as ending in a short syllable.
//
// Thread safety: pure function.
#pragma once

#include <string>
#include <string_view>

namespace moft {

// The stem of a word of a-z and 0-9 (digits are consonants).
std::string porter_stem(std::string_view word);

}  // namespace moft
