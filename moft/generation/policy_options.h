// Which model to start from, and what belongs to the policy's definition.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "moft/core/fields.h"

namespace moft {

struct PolicyOptions {
  std::string model;
  std::optional<std::string> adapter;
  // Objective -> PEFT adapter; a trained policy alone is under the name "".
  std::map<std::string, std::string> start;
  double temperature = 1.0;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the model to finetune: a Hugging Face directory or a GGUF file"},
      Required{},
      Path{});
    v("adapter",
      adapter,
      Help{"a PEFT LoRA directory that is merged into the model when it is "
           "read: the two together are the base and the reference; null: none"},
      Path{});
    v("start",
      start,
      Help{"a trained policy or its run, of the same base and steered set, "
           "whose copies training continues from, matched by the names of "
           "their objectives; or, with steered_set: lora, PEFT LoRA "
           "directories by objective; the reference stays the base; null: all "
           "copies start as the reference"},
      OneOrMore{},
      Path{});
    v("temperature",
      temperature,
      Help{"logits are divided by it in sampling, scoring and KL alike, in the "
           "policy and in its reference; it is saved with the policy"},
      above(0));
  }
};

}  // namespace moft
