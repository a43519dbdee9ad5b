// AdamW: options and update.
//
// I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR
// 2019, algorithm 2, with the arithmetic of torch.optim.AdamW (equal to it to
// float rounding):
//   theta <- (1 - lr weight_decay) theta
//   m <- m + (1 - beta1)(g - m),  v <- beta2 v + (1 - beta2) g^2
//   theta <- theta - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
//
// Each parameter keeps its own step counter t and its moments "first_moment"
// (m) and "second_moment" (v), float32. One that takes no part in a step is
// neither decayed nor read (as torch does for a missing gradient).
//
// One pass over memory on the CPU; masters on other devices and in odd layouts
// go through ATen, with the same rounding to the last bits. Every element is
// updated for itself, so ranks divide a parameter between them.
//
// Thread safety: one thread at a time; parallel inside, elementwise, so the
// result does not depend on the number of threads.
#pragma once

#include <vector>

#include "moft/algorithms/optimizer.h"

namespace moft {

struct AdamWOptions {
  double beta1 = 0.9;         // in [0, 1)
  double beta2 = 0.999;       // in [0, 1)
  double epsilon = 1e-8;      // > 0
  double weight_decay = 0.0;  // >= 0; 0 turns it off
  bool dense = false;         // zero gradients are applied, not skipped
};

class AdamW : public Optimizer {
 public:
  // The masters are shared with the caller, float32, distinct names.
  // CallerError for options out of range or unfit masters.
  AdamW(
      std::vector<TrainedTensor> parameters,
      AdamWOptions options,
      Ranks ranks = {});

  const AdamWOptions& options() const { return options_; }

 private:
  void update(const std::vector<Part>& parts, double learning_rate) override;

  AdamWOptions options_;
};

}  // namespace moft
