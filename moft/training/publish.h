// The end of a run: the policy directory with its model card, and the check
// that the policy answers to its knobs at all.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "moft/generation/steered_policy.h"

namespace moft {

// What the model card says beside the policy's definition.
struct ModelCard {
  std::string name;
  std::string description;
  std::string base_model;     // a path or name
  std::string example_field;  // of the prompt template, for the example
  std::int64_t steps = 0;
  std::map<std::string, double> first_metrics;  // of the first step logged
  std::map<std::string, double> last_metrics;
};

std::string model_card_text(const ModelCard& card, const SteeredPolicy& policy);

// How far the weighting reaches: the largest difference between the logits of
// two corner weightings after `prompt`, as a part of the largest logit. 0 when
// the policy does not steer; 1 with a single objective, which has no
// weightings to tell apart.
double steering_effect(SteeredPolicy& policy, const Prompt& prompt);

// Below this effect a policy counts as not steering.
inline constexpr double kLeastSteeringEffect = 1e-5;

}  // namespace moft
