// The algorithms of an online step (training.algorithm): what each does
// otherwise than REINFORCE, as far as its options say it (docs/algorithms.md).
//
// An algorithm is a file beside this one, with its section of the recipe (keys
// and defaults are TRL's), its rule and its check, and a line in the table of
// algorithm.cpp.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moft/algorithms/choices.h"
#include "moft/core/field_attributes.h"

namespace moft {

struct TrainingOptions;  // training_options.h

enum class Algorithm { kReinforce, kGrpo, kPpo, kOnlineDpo };
constexpr auto enum_names(Algorithm) {
  return EnumNames<Algorithm, 4>{{
      {Algorithm::kReinforce, "reinforce"},
      {Algorithm::kGrpo, "grpo"},
      {Algorithm::kPpo, "ppo"},
      {Algorithm::kOnlineDpo, "online_dpo"},
  }};
}

// How a step's completions become updates of the policy. The defaults are
// REINFORCE's.
struct UpdateRule {
  std::int64_t passes = 1;       // over the step's completions
  std::int64_t updates = 1;      // in each, from its share of the prompts
  const char* updates_key = "";  // under training., for messages
  // How a token's ratio to the policy that sampled it is clipped; none: the
  // loss has no ratio.
  std::optional<RatioClip> clip = std::nullopt;
  // How tokens are weighed; none: the loss is a mean over completions.
  std::optional<LossType> loss = std::nullopt;
  bool masks_truncated = false;  // those have no part in the loss
  // A value network predicts every token (token_values.h), and there is no
  // baseline.
  bool values_tokens = false;
  // Rewards may be made of those of a prompt's other completions.
  bool takes_group_rewards = true;
};

struct AlgorithmKind {
  // None: REINFORCE's.
  UpdateRule (*rule)(const TrainingOptions& options) = nullptr;
  // CallerError, with `path` before the keys, for options that do not go with
  // the algorithm; none: all do.
  void (*check)(const TrainingOptions& options, const std::string& path) =
      nullptr;
};

// The table's line of an algorithm.
const AlgorithmKind& kind_of(Algorithm algorithm);

}  // namespace moft
