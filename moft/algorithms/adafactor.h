// Adafactor with T5X's defaults: options and update.
//
// N. Shazeer, M. Stern, "Adafactor: adaptive learning rates with sublinear
// memory cost", ICML 2018 (arXiv 1804.04235), as T5X runs it: no momentum, no
// weight decay. With t the parameter's own updates before this one,
//   beta = 1 - (t + 1)^-decay_rate                      (0 at the first)
//   v    = beta v + (1 - beta) (g^2 + epsilon1)
//   y    = g / sqrt(v),  y <- y / max(1, RMS(y) / clipping_threshold)
//   theta <- theta - learning_rate max(RMS(theta), epsilon2) y
// so the first step of an unfactored parameter is
// learning_rate max(RMS(theta), epsilon2) sign(g), exactly.
//
// A parameter whose two largest dimensions are both at least
// min_dim_size_to_factor keeps v as its means over the largest and over the
// second largest dimension only: 1/sqrt(v) = sqrt(mean(row)) / sqrt(row col).
//
// Copies of a steered parameter get c_i G: each has its own moments, scale
// and clipping, so a constant factor c_i changes nothing but the first
// moments' history.
//
// The state of a parameter is v, "second_moment" with the shape of the master,
// or factored its means over the largest and over the second largest dimension,
// "row_moment" and "column_moment", each without that dimension.
//
// Means over rows, columns and the whole parameter are sums whose bits depend
// on their order, so a parameter is updated by one rank as a whole.
//
// State and arithmetic float32, by ATen on any device.
// Thread safety: one thread at a time.
#pragma once

#include <vector>

#include "moft/algorithms/adafactor_options.h"
#include "moft/algorithms/optimizer.h"

namespace moft {

class Adafactor : public Optimizer {
 public:
  // The masters are shared with the caller, float32, distinct names.
  // CallerError for options out of range or unfit masters.
  Adafactor(
      std::vector<TrainedTensor> parameters,
      AdafactorOptions options,
      Ranks ranks = {});

  const AdafactorOptions& options() const { return options_; }

 private:
  void update(const std::vector<Part>& parts, double learning_rate) override;

  AdafactorOptions options_;
};

}  // namespace moft
