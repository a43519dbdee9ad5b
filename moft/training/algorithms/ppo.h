// PPO (docs/methods/ppo.md).
#pragma once

#include <cstdint>

#include "moft/core/fields.h"
#include "moft/training/algorithms/algorithm.h"

namespace moft {

struct PpoOptions {
  std::int64_t num_ppo_epochs = 4;
  std::int64_t num_mini_batches = 1;
  double cliprange = 0.2;
  double cliprange_value = 0.2;
  double gamma = 1.0;
  double lam = 0.95;

  template <class V>
  void fields(V& v) {
    v("num_ppo_epochs",
      num_ppo_epochs,
      Help{"passes over a step's completions", "passes"},
      between(1, 1000));
    v("num_mini_batches",
      num_mini_batches,
      Help{
          "updates in a pass, each from its share of the step's prompts",
          "updates"},
      between(1, 1e6));
    v("cliprange",
      cliprange,
      Help{"a token's ratio to the policy that sampled it is clipped to "
           "1 - cliprange .. 1 + cliprange"},
      above_up_to(0, 1));
    v("cliprange_value",
      cliprange_value,
      Help{"how far one step may move a value towards its return", "reward"},
      above(0));
    v("gamma",
      gamma,
      Help{"discount of a reward for each token that it lies ahead; below 1 "
           "the KL's gradient is biased"},
      above_up_to(0, 1));
    v("lam",
      lam,
      Help{"lambda of generalised advantage estimation; 1: no bias from the "
           "value network"},
      between(0, 1));
  }
};

extern const AlgorithmKind kPpo;

}  // namespace moft
