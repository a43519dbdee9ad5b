// What can be counted about answers without a model.
//
// Words are those of core/words.h, compared as core/comparable_words.h has it.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "moft/core/text.h"  // count_words

namespace moft {

// Share of prompts whose answer no other prompt got; with several answers per
// prompt, the mean over prompts of the share of its answers that no other
// prompt got. Surrounding white space does not count. `prompts[k]` numbers the
// prompt of answers[k]; sizes must agree (CallerError). 0 for no answers.
double distinct_share(
    const std::vector<std::string>& answers,
    const std::vector<std::size_t>& prompts);

// Share of the answer's word n-grams that occur in the source; 0 for an answer
// of fewer than n words.
double copied_fraction(
    std::string_view source, std::string_view answer, std::size_t n = 5);

// Share of answers of which at least `threshold` of the 5-grams occur in their
// source (same order and size; CallerError otherwise). 0 for no answers.
double copied_share(
    const std::vector<std::string>& sources,
    const std::vector<std::string>& answers,
    double threshold = 0.6);

// Share of answers with a run of `n` words that occurs in their prompt, but not
// in their source: they repeat the instruction around it (same order and size;
// CallerError otherwise). 0 for no answers.
double echoed_share(
    const std::vector<std::string>& prompts,
    const std::vector<std::string>& sources,
    const std::vector<std::string>& answers,
    std::size_t n = 4);

}  // namespace moft
