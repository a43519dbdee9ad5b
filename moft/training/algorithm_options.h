// The algorithms of an online step as recipes describe them:
// training.algorithm and a section for each.
#pragma once

#include "moft/algorithms/preference_options.h"
#include "moft/core/fields.h"

namespace moft {

enum class Algorithm { kReinforce, kOnlineDpo };
constexpr auto enum_names(Algorithm) {
  return EnumNames<Algorithm, 2>{{
      {Algorithm::kReinforce, "reinforce"},
      {Algorithm::kOnlineDpo, "online_dpo"},
  }};
}

// docs/methods/dpo.md
using OnlineDpoOptions = PreferenceOptions;

}  // namespace moft
