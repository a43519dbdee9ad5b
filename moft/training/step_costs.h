// What the computation of a training step takes of memory, by token and row.
//
// An estimate from above of what the rollout holds and of what a scoring pass
// keeps for its gradient. Not counted: the program itself and libtorch, the
// allocator's slack, and what is held all the time (memory_estimate.h).
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "moft/algorithms/kl_estimator.h"
#include "moft/conditioning/conditioning_options.h"
#include "moft/models/sequence_model.h"

namespace moft {

// What of a model's configuration memory depends on.
struct ModelShape {
  std::int64_t parameters = 0;
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;       // of both stacks together
  std::int64_t query_width = 0;  // heads x head size
  std::int64_t key_width = 0;    // of keys; values have the same
  std::int64_t feed_forward = 0;
  std::int64_t encoder_layers = 0;  // of them; 0: decoder-only
  // As ModelInfo's.
  std::int64_t scores_per_token = 0;
  std::int64_t scores_per_pair = 0;
  bool gated = true;  // two matrices into the feed-forward layer
  bool tied_head = false;
};
ModelShape shape_of(const SequenceModel& model);

// Bytes that a step takes beside what is held all the time. A prompt counts
// once for all rows that are computed together.
struct StepCosts {
  // Scoring with its gradient: what the backward pass reads again, and logits.
  std::int64_t prompt_token = 0;
  std::int64_t prompt_pair = 0;  // of any two tokens of a prompt
  // An encoder's prompts are laid out once more for the decoder to look at,
  // each as long as the longest of the step.
  std::int64_t padded_token = 0;
  std::int64_t new_token = 0;
  // Rollout: keys and values of an entry of a page, and a row's logits twice.
  std::int64_t decoded_token = 0;
  std::int64_t decoded_row = 0;
  // Whether prompts have pages of their own, beside those of their rows.
  bool encodes = false;
  // What a rollout keeps of a prompt's token so that scoring continues there.
  std::int64_t graph_token = 0;
  // Hidden states that a rollout keeps for scoring.
  std::int64_t feature_token = 0;
};
StepCosts step_costs(
    const ModelShape& shape,
    const ConditioningOptions& conditioning,
    KlEstimator estimator);
// The costs of reading given texts with a model that is trained whole:
// there is no rollout.
StepCosts costs_of_texts(const ModelShape& shape);

// "1.4 GB": for people, rounded up to two digits.
std::string bytes_as_text(std::int64_t bytes);

}  // namespace moft
