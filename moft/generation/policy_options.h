// Which model to start from, and what belongs to the policy's definition.
#pragma once

#include <optional>
#include <string>

#include "moft/core/fields.h"

namespace moft {

struct PolicyOptions {
  std::string model;
  std::optional<std::string> start;
  double temperature = 1.0;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the model to finetune: a Hugging Face directory or a GGUF file"},
      Required{},
      Path{});
    v("start",
      start,
      Help{"a trained policy or its run, of the same base and steered set, "
           "whose copies training continues from, matched by the names of "
           "their objectives; the reference stays policy.model; null: all "
           "copies "
           "start as the reference"},
      Path{});
    v("temperature",
      temperature,
      Help{"logits are divided by it in sampling, scoring and KL alike, in the "
           "policy and in its reference; it is saved with the policy"},
      above(0));
  }
};

}  // namespace moft
