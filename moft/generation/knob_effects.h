// How far a policy answers to its knobs.
//
// Thread safety: one thread.
#pragma once

#include "moft/generation/policy.h"

namespace moft {

// The largest difference between the logits after a prompt, as a part of the
// largest logit. 0: not at all; 1 where the policy does not have the knob.
struct KnobEffects {
  // Between two corner weightings; 1 with a single objective.
  double weighting = 1.0;
  // Between alpha_min and 1, at equal weights; 1 where alpha has nothing to
  // mix: no parameter is steered, or the policy has no KL control.
  double alpha = 1.0;
};
KnobEffects knob_effects(Policy& policy, const Prompt& prompt);

// Below this effect a policy counts as not steering.
inline constexpr double kLeastSteeringEffect = 1e-5;

}  // namespace moft
