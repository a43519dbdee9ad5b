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

std::string model_card_text(const ModelCard& card, const Policy& policy);

// WorldError naming a trained parameter that is not finite; on every rank where
// ranks share the copies, which all call it.
void require_finite_masters(const SteeredPolicy& policy);
// The same, and when the logits after `prompt` at equal weights are not finite.
void require_finite_policy(SteeredPolicy& policy, const Prompt& prompt);

// A sentence for each knob that the policy does not answer to.
std::vector<std::string> steering_warnings(
    Policy& policy, const Prompt& prompt);

}  // namespace moft
