// A value network: a language model of which the logits of the first tokens,
// at the place of a completion's first token, are read as values of a prompt
// (CLP, arXiv 2407.15762, appendix B.1).
//
//   V(x)_i = logit of token id i after the prompt x,  i < outputs
//
// Only those rows of the output head exist: a matrix of its own, named
// "value_head.weight", that starts as the rows of the model's head (of the
// embedding where they are tied). Every parameter is trained; none is steered.
//
// P prompts, m outputs. Errors: CallerError for foreign token ids and for
// prompts longer than the context.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/language_model.h"

namespace moft {

// One parameter of a value network and its gradient so far.
struct ValueParameter {
  std::string name;     // Hugging Face's, or "value_head.weight"
  at::Tensor master;    // float32, written in place by an optimizer
  at::Tensor gradient;  // undefined without one
  bool decays = true;   // matrices
};

class ValueModel {
 public:
  // A plain model, without conditioning, is changed for good. CallerError when
  // its vocabulary has fewer than `outputs` tokens.
  ValueModel(std::shared_ptr<LanguageModel> model, std::int64_t outputs);

  std::int64_t outputs() const { return outputs_; }
  std::int64_t vocabulary() const { return model_->info().vocabulary; }
  std::int64_t parameters() const;  // how many numbers it consists of

  // Values of prompts, none empty: [P, m], float32. Differentiable between
  // begin_gradient() and end_gradient(), when gradient mode is on.
  at::Tensor values(const std::vector<TokenIds>& prompts) const;

  // --- a training step
  void zero_gradient();
  void begin_gradient();
  // Adds the gradient of the passes since begin_gradient().
  void end_gradient();
  // In a fixed order.
  std::vector<ValueParameter> trained() const;
  // After an optimizer wrote the masters.
  void masters_changed();

  // --- files: the masters by name
  std::map<std::string, at::Tensor> tensors() const;
  // CallerError names a tensor that is missing, unknown or does not fit;
  // nothing is changed then.
  void load(const std::map<std::string, at::Tensor>& tensors);

 private:
  Steerable& steerable() const { return model_->steerable(); }
  void cut_head();

  std::shared_ptr<LanguageModel> model_;
  std::int64_t outputs_;
  std::vector<at::Tensor> gradients_;  // of steerable().parameters
};

}  // namespace moft
