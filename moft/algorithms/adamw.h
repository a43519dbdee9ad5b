// AdamW: options, per-parameter state, step.
//
// I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR
// 2019, algorithm 2, with the arithmetic of torch.optim.AdamW (equal to it to
// float rounding):
//   theta <- (1 - lr weight_decay) theta
//   m <- m + (1 - beta1)(g - m),  v <- beta2 v + (1 - beta2) g^2
//   theta <- theta - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
//
// Each parameter keeps its own step counter t: a copy whose coefficient is 0
// takes no part, keeps its moments and its counter, and is neither decayed nor
// read (as torch does for a missing gradient). With `dense` it receives a zero
// gradient instead.
//
// One pass over memory on the CPU; other devices and odd layouts go through
// ATen, with the same rounding to the last bits.
//
// Thread safety: one thread at a time; parallel inside, elementwise, so the
// result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "moft/algorithms/gradient.h"
#include "moft/algorithms/optimizer.h"

namespace moft {

struct AdamWOptions {
  double beta1 = 0.9;         // in [0, 1)
  double beta2 = 0.999;       // in [0, 1)
  double epsilon = 1e-8;      // > 0
  double weight_decay = 0.0;  // >= 0; 0 turns it off
  bool dense = false;         // zero gradients are applied, not skipped
};

struct AdamWState {
  at::Tensor first_moment;   // m, float32, shape of the master
  at::Tensor second_moment;  // v
  std::int64_t steps = 0;    // t: updates that this parameter has received
};

class AdamW : public Optimizer {
 public:
  // The masters are shared with the caller, float32, distinct names.
  // CallerError for options out of range or unfit masters.
  AdamW(std::vector<TrainedTensor> parameters, AdamWOptions options);

  // gradients[i] belongs to parameters()[i]; shapes equal. gradient_factor
  // multiplies all of them (clip_by_global_norm). REQUIRES finite gradients.
  void step(
      const std::vector<ScaledGradient>& gradients,
      double learning_rate,
      double gradient_factor = 1.0) override;

  const std::vector<TrainedTensor>& parameters() const override {
    return parameters_;
  }
  const std::vector<AdamWState>& states() const { return states_; }
  const AdamWOptions& options() const { return options_; }

  // "<name>.first_moment", "<name>.second_moment" (the live tensors, not
  // copies: write them before the next step) and "<name>.steps" (int64 []).
  std::map<std::string, at::Tensor> export_state() const override;
  // Copies the values in. CallerError names what is missing, unknown, of
  // another shape or type, or negative; nothing is changed then.
  void import_state(const std::map<std::string, at::Tensor>& tensors) override;

 private:
  std::vector<TrainedTensor> parameters_;
  std::vector<AdamWState> states_;
  AdamWOptions options_;
};

}  // namespace moft
