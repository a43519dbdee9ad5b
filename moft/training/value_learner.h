// The value network of a run: predicts, learns from a step's rewards, and is
// saved with the run (docs/methods/value-network.md).
//
// In a step it first predicts the values of the step's prompts, from which the
// baseline is made, and then learns from the same step; the other order would
// make the baseline depend on the completions it is subtracted from.
//
// P prompts, B completions, m outputs.
// Errors: as HeadedModel's; WorldError for a gradient that is not finite.
// Thread safety: one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/models/value_model.h"
#include "moft/training/step_memory.h"
#include "moft/training/value_options.h"

namespace moft {

// What the network learns from.
struct ValueBatch {
  std::vector<TokenIds> prompts;  // [P]
  // [B, m], double; the rows of prompt p are samples_per_prompt in a row.
  at::Tensor targets;
  std::int64_t samples_per_prompt = 1;
  // Parts of the prompts (step_memory.h), which depend on the slice alone;
  // none: all at once.
  ItemSlices slices = {};
};

// What PPO's network learns from in a part: n tokens, k outputs.
struct TokenTargets {
  at::Tensor old;      // [n, k], the values before the step
  at::Tensor returns;  // [n, k]; NaN: no part
  double cliprange = 0.2;
  double normaliser = 1.0;  // values of all parts
};

class ValueLearner {
 public:
  ValueLearner(
      std::shared_ptr<LanguageModel> model,
      std::int64_t outputs,
      const ValueOptions& options,
      FirstValues first = FirstValues::kLogits,
      const Ranks& ranks = {});

  const HeadedModel& model() const { return model_; }
  std::int64_t outputs() const { return outputs_; }

  // Values of the prompts, [P, m], double, no gradient. `slices` as above.
  at::Tensor predict(
      const std::vector<TokenIds>& prompts,
      const ItemSlices& slices = {}) const;
  // The same, from before this step's update, and takes the gradient of the
  // mean squared error over the B m targets that are not NaN.
  at::Tensor learn(const ValueBatch& batch);
  // --- values of a completion's tokens (PPO)
  // [n, k], double, on the CPU, no gradient.
  at::Tensor token_values(const ScoreBatch& batch) const;
  void zero_gradient();
  void end_slice();
  // Adds the gradient of clipped_value_loss(). The number of values that get
  // none, by the clip.
  double learn_tokens(const ScoreBatch& batch, const TokenTargets& targets);

  // --- over ranks (ranks.h)
  // From now on slices are kept apart, for take_slices().
  void keep_slices() { keeps_slices_ = true; }
  // Those whose gradient was taken.
  std::vector<GradientSlice> take_slices() { return std::exchange(kept_, {}); }
  // Makes sums of slices the gradient.
  void put_slice(GradientSlice sums) { model_.put_slice(std::move(sums)); }

  // Updates the network by the gradient that was taken; its global norm.
  double update();

  // Masters and optimizer state by name: the live tensors.
  std::map<std::string, at::Tensor> masters() const { return model_.tensors(); }
  std::map<std::string, at::Tensor> optimizer_state() const {
    return optimizer_->export_state();
  }
  void restore(
      const std::map<std::string, at::Tensor>& masters,
      const std::map<std::string, at::Tensor>& optimizer);

 private:
  at::Tensor values_of(const at::Tensor& logits) const {
    return moft::values_of(logits, first_);
  }

  std::int64_t outputs_;
  FirstValues first_;
  std::shared_ptr<LanguageModel> base_;  // what model_ reads with
  HeadedModel model_;
  std::unique_ptr<Optimizer> optimizer_;
  double learning_rate_;
  bool keeps_slices_ = false;
  std::vector<GradientSlice> kept_;
};

}  // namespace moft
