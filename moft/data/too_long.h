// What to do with a prompt that is too long: the same choice in every recipe.
#pragma once

#include "moft/core/fields.h"

namespace moft {

// The side is the one that is cut off, as in Hugging Face's truncation_side.
enum class TooLong { kError, kSkip, kTruncateLeft, kTruncateRight };
constexpr auto enum_names(TooLong) {
  return EnumNames<TooLong, 4>{{
      {TooLong::kError, "error"},
      {TooLong::kSkip, "skip"},
      {TooLong::kTruncateLeft, "truncate_left"},
      {TooLong::kTruncateRight, "truncate_right"},
  }};
}

inline constexpr Help kTooLongHelp{
    "an example that is too long; error: names it and stops before the first "
    "step, skip: leaves it out, truncate_left, truncate_right: cut the "
    "beginning or the end off the longest field of its prompt. What was "
    "skipped or cut is counted and the first ones are named"};

}  // namespace moft
