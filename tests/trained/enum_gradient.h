// The gradient of an ENUM-1 policy's value, as a sum over all answers.
//
// Thread safety: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "verify/enum_policy.h"

namespace moft::exact {

// A steering and how much it counts.
struct WeightedSteering {
  Steering steering;
  double share = 1.0;
};

// Gradients by name of the master.
using Gradients = std::map<std::string, at::Tensor>;

// The gradient of sum_k share_k V(steering_k), V the mean over prompts: the sum
// over answers is differentiated itself, without score functions. Masters that
// take no part are absent. Leaves the conditioning's gradients as a training
// step does.
Gradients value_gradient(
    EnumPolicy& policy, const std::vector<WeightedSteering>& steerings);

// The step's gradients of the masters, coefficients multiplied in.
Gradients current_gradients(const Conditioning& conditioning);

// EnumScore::regret alone, in half the time.
double regret_of(const EnumPolicy& policy, const Steering& steering);

}  // namespace moft::exact
