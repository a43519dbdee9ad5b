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
  // Layers of each stack, from the bottom (encoder, decoder); they sum to
  // `layers`.
  std::vector<std::int64_t> stacks;
  // What a tied head multiplies its input with (T5 v1.0: width^-1/2).
  double tied_head_scale = 1.0;
  // A head that was tied has its own matrix now; it keeps the scale.
  bool head_untied = false;
  std::vector<SteerableLinear> linears;
  // Every parameter once (a tied head is the embedding), in the model's order.
  std::vector<std::shared_ptr<SteeredParameter>> parameters;
  // The first layer whose answer depends on the steering; `layers` when only
  // the head does or nothing; layers below may be computed once per prompt.
  std::int64_t first_steered_layer = 0;
};

}  // namespace moft
