// What a model offers to conditioning: its parameters and linear maps by name.
//
// Names are Hugging Face's ("model.layers.3.self_attn.q_proj"), whatever file
// the model came from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moft/conditioning/steered_linear.h"

namespace moft {

struct SteerableLinear {
  std::string name;        // module name, without ".weight"
  std::string kind;        // q, k, v, o, gate, up, down, head
  std::int64_t layer = 0;  // the head counts as layer `layers`
  SteeredLinear* linear = nullptr;
};

struct Steerable {
  std::int64_t layers = 0;
  std::vector<SteerableLinear> linears;
  // Every parameter once (a tied head is the embedding), in the model's order.
  std::vector<std::shared_ptr<SteeredParameter>> parameters;
  // The first layer whose answer depends on the steering; `layers` when only
  // the head does or nothing; layers below may be computed once per prompt.
  std::int64_t first_steered_layer = 0;
};

}  // namespace moft
