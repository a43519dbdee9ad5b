// What every optimizer offers the training loop: step, state out, state in.
//
// Thread safety: one thread at a time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "moft/algorithms/gradient.h"

namespace moft {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // gradients[i] belongs to parameters()[i]; shapes equal. gradient_factor
  // multiplies all of them (clip_by_global_norm). REQUIRES finite gradients.
  virtual void step(
      const std::vector<ScaledGradient>& gradients,
      double learning_rate,
      double gradient_factor = 1.0) = 0;

  virtual const std::vector<TrainedTensor>& parameters() const = 0;

  // "<name>.<part>": the live tensors, not copies; write them before the next
  // step.
  virtual std::map<std::string, at::Tensor> export_state() const = 0;
  // Copies the values in. CallerError names what is missing, unknown, of
  // another shape or type, or negative; nothing is changed then.
  virtual void import_state(
      const std::map<std::string, at::Tensor>& tensors) = 0;
};

}  // namespace moft
