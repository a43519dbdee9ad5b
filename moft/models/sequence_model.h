// A model of token sequences: what decoders, encoders and encoder-decoders have
// in common. It turns texts into states, one vector per token, and may have a
// head that multiplies states: the output matrix of a language model, or the
// head of a value network or classifier that took its place (headed_model.h).
//
// Gradients: every pass is differentiable in gradient mode, in the parameters
// that have a leaf (SteeredParameter::begin_gradient) and in adapters.
//
// Letters: N tokens, V outputs of the head.
// Errors: CallerError for token ids outside the vocabulary, for empty texts and
// for texts longer than the context.
// Thread safety: one thread at a time (SteeredParameter's caches).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/conditioning/steerable.h"

namespace moft {

using TokenIds = std::vector<std::int32_t>;

struct ModelInfo {
  std::string family;  // "llama"
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  // longest sequence in tokens
  std::vector<std::int32_t> end_tokens;
  std::int64_t parameters = 0;  // numbers, not tensors
  std::int64_t width = 0;       // of a state
  // Numbers that attention keeps for its gradient beside q, k, v and what it
  // gives, of all layers: for each token, and for each two of a text.
  std::int64_t scores_per_token = 0;
  std::int64_t scores_per_pair = 0;
};

// CallerError unless every id has its row among the `vocabulary` embeddings.
void check_vocabulary(const TokenIds& ids, std::int64_t vocabulary);

class SequenceModel {
 public:
  virtual ~SequenceModel() = default;
  // Steerable points into the model.
  SequenceModel(const SequenceModel&) = delete;
  SequenceModel& operator=(const SequenceModel&) = delete;

  const ModelInfo& info() const { return info_; }
  at::Device device() const { return device_; }
  // The parameters and linear maps, which conditioning may steer.
  Steerable& steerable() { return steerable_; }
  const Steerable& steerable() const { return steerable_; }

  // States of all tokens, the texts one after the other: [N, width]. An
  // encoder-decoder gives its encoder's. `steering` has one row per text or is
  // uniform; so below.
  virtual at::Tensor token_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) = 0;
  // The state that sums up each text: [texts, width]. A language model
  // predicts the next token from it; an encoder gives the last token's.
  virtual at::Tensor last_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering);

  // What multiplies states, [V, width]; not to be used without a head.
  const SteeredLinear& head() const { return head_; }
  // Gives the model another head, which may have another number of outputs.
  // The old head's matrix is freed unless it is the embedding table too.
  void replace_head(std::shared_ptr<SteeredParameter> weight);

 protected:
  explicit SequenceModel(at::Device device) : device_(device) {}

  at::Device device_;
  ModelInfo info_;
  Steerable steerable_;
  SteeredLinear head_;
};

}  // namespace moft
