// What is said of a policy when it is published: its model card, and whether
// it answers to its knobs at all.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"

namespace moft {

// What the model card says beside the policy's definition.
struct ModelCard {
  std::string name;
  std::string description;
  std::string base_model;     // a path or name
  std::string example_field;  // of the prompt template, for the example
  std::int64_t steps = 0;
  std::string alarm;  // of a guard in the last step; empty: none
  std::map<std::string, double> first_metrics;  // of the first step logged
  std::map<std::string, double> last_metrics;
};

std::string model_card_text(const ModelCard& card, const SteeredPolicy& policy);

// How far a policy answers to its knobs: the largest difference between the
// logits after a prompt, as a part of the largest logit. 0: not at all; 1 where
// the policy does not have the knob.
struct KnobEffects {
  // Between two corner weightings; 1 with a single objective.
  double weighting = 1.0;
  // Between alpha_min and 1, at equal weights; 1 where alpha has nothing to
  // mix: no parameter is steered, or the policy has no KL control.
  double alpha = 1.0;
};
KnobEffects knob_effects(SteeredPolicy& policy, const Prompt& prompt);

// WorldError naming a trained parameter that is not finite.
void require_finite_masters(const SteeredPolicy& policy);
// The same, and when the logits after `prompt` at equal weights are not finite.
void require_finite_policy(SteeredPolicy& policy, const Prompt& prompt);

// Below this effect a policy counts as not steering.
inline constexpr double kLeastSteeringEffect = 1e-5;

// A sentence for each knob that the policy does not answer to.
std::vector<std::string> steering_warnings(
    SteeredPolicy& policy, const Prompt& prompt);

}  // namespace moft
