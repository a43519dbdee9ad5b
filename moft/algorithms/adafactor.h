// Adafactor with T5X's defaults: options, per-parameter state, step.
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
// moments' history. As in AdamW, a copy whose coefficient is 0 keeps its state
// and its counter, or gets a zero gradient with `dense`.
//
// State and arithmetic float32, by ATen on any device.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/algorithms/adafactor_options.h"
#include "moft/algorithms/optimizer.h"

namespace moft {

struct AdafactorState {
  // Unfactored: v, shape of the master. Factored: undefined.
  at::Tensor second_moment;
  // Factored: means over the largest and over the second largest dimension,
  // each without that dimension.
  at::Tensor row_moment;
  at::Tensor column_moment;
  std::int64_t steps = 0;
};

class Adafactor : public Optimizer {
 public:
  // The masters are shared with the caller, float32, distinct names.
  // CallerError for options out of range or unfit masters.
  Adafactor(std::vector<TrainedTensor> parameters, AdafactorOptions options);

  void step(
      const std::vector<ScaledGradient>& gradients,
      double learning_rate,
      double gradient_factor = 1.0) override;

  const std::vector<TrainedTensor>& parameters() const override {
    return parameters_;
  }
  const std::vector<AdafactorState>& states() const { return states_; }
  const AdafactorOptions& options() const { return options_; }

  // "<name>.second_moment", or "<name>.row_moment" and "<name>.column_moment";
  // "<name>.steps" (int64 []).
  std::map<std::string, at::Tensor> export_state() const override;
  void import_state(const std::map<std::string, at::Tensor>& tensors) override;

 private:
  std::vector<TrainedTensor> parameters_;
  std::vector<AdafactorState> states_;
  AdafactorOptions options_;
};

}  // namespace moft
