// A model that reads texts through a head of its own: a value network, and the
// base of classifiers, reward models and sentence encoders. The position rule
// says which states of a text the head multiplies.
//
// Once make_trainable() was called every parameter is trained; none is steered.
//
// B texts. Errors: as SequenceModel's.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/conditioning/gradient_sum.h"
#include "moft/models/sequence_model.h"

namespace moft {

enum class ReadAt {
  kLastToken,   // SequenceModel::last_states
  kFirstToken,  // an encoder's [CLS]
  kMean,        // over the tokens of the text
};

// States of texts by the rule: [B, width].
at::Tensor read_states(
    SequenceModel& model,
    const std::vector<TokenIds>& texts,
    ReadAt read_at,
    const RowSteering& steering);

// A trained parameter and its gradient so far.
struct HeadedParameter {
  std::string name;     // Hugging Face's, or the head's
  at::Tensor master;    // float32, written in place by an optimizer
  at::Tensor gradient;  // undefined without one
  bool decays = true;   // matrices
};

class HeadedModel {
 public:
  struct Head {
    std::string name;   // "value_head.weight"
    at::Tensor weight;  // [outputs, width], the masters at first
  };
  // Changes the model for good: its own head is given up. Without a head here
  // the states are the outputs.
  HeadedModel(
      std::shared_ptr<SequenceModel> model,
      ReadAt read_at,
      std::optional<Head> head = std::nullopt);

  const SequenceModel& model() const { return *model_; }
  std::int64_t outputs() const;
  std::int64_t parameters() const;  // numbers, not tensors

  // [B, outputs], float32. Differentiable between begin_gradient() and
  // end_gradient(), when gradient mode is on.
  at::Tensor forward(const std::vector<TokenIds>& texts) const;

  // --- a training step
  void make_trainable();
  void zero_gradient();
  void begin_gradient();
  // Adds the gradient of the passes since begin_gradient().
  void end_gradient();
  // The passes since the last one, or zero_gradient(), were a slice of the step
  // (conditioning/gradient_sum.h).
  void end_slice();
  // As Conditioning's.
  GradientSlice take_slice();
  void put_slice(GradientSlice sums);
  // In a fixed order.
  std::vector<HeadedParameter> trained() const;
  // To be called after an optimizer wrote the masters.
  void masters_changed();

  // --- files: the masters by name
  std::map<std::string, at::Tensor> tensors() const;
  // CallerError names a tensor that is missing, unknown or does not fit;
  // nothing is changed then.
  void load(const std::map<std::string, at::Tensor>& tensors);

 private:
  Steerable& steerable() const { return model_->steerable(); }

  std::shared_ptr<SequenceModel> model_;
  ReadAt read_at_;
  bool headed_;
  std::vector<GradientSum> gradients_;  // of steerable().parameters
};

}  // namespace moft
