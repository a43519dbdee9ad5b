// Prompts that two sets of examples have in common, found by their text: the
// template filled with each example, so that other fields, ids, order
// and file names make no difference.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "moft/data/prompt_maker.h"

namespace moft {

struct Overlap {
  std::size_t count = 0;  // examples of the first set whose prompt recurs
  std::size_t of = 0;     // all examples of the first set
  // Where the first few of them are, in the first and in the second set.
  std::vector<std::pair<std::string, std::string>> places;
};

// Which of `held_out` are also in `other`; `places` holds up to three pairs.
// Throws as PromptMaker::check does.
Overlap find_overlap(
    const PromptMaker& prompt,
    const std::vector<Example>& held_out,
    const std::vector<Example>& other);

// "3 of the 58 prompts of data.evaluation are also in data.train: a:1 is b:7,
// .."; the names are those of the two sets.
std::string describe_overlap(
    const Overlap& overlap,
    const std::string& held_out,
    const std::string& other);

}  // namespace moft
