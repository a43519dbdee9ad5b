// What every optimizer offers the training loop: step, state out, state in.
//
// A copy whose coefficient is 0 takes no part in a step: it keeps its state and
// its counter. With `dense` it receives a zero gradient instead.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "moft/algorithms/gradient.h"

namespace moft {

// One parameter's state.
struct OptimizerState {
  std::map<std::string, at::Tensor> moments;  // by kind: "first_moment"
  std::int64_t steps = 0;  // updates that this parameter has received
};

// CallerError, opened by `who`, unless there is one gradient of the right shape
// for every parameter.
void check_gradients(
    const std::string& who,
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients);

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // gradients[i] belongs to parameters()[i]; shapes equal. gradient_factor
  // multiplies all of them (clip_by_global_norm). REQUIRES finite gradients.
  void step(
      const std::vector<ScaledGradient>& gradients,
      double learning_rate,
      double gradient_factor = 1.0);

  const std::vector<TrainedTensor>& parameters() const { return parameters_; }
  const std::vector<OptimizerState>& states() const { return states_; }

  // "<name>.<moment>": the live tensors, not copies; write them before the next
  // step. "<name>.steps": int64 [].
  std::map<std::string, at::Tensor> export_state() const;
  // Copies the values in. CallerError names what is missing, unknown, of
  // another shape or type, or negative; nothing is changed then.
  void import_state(const std::map<std::string, at::Tensor>& tensors);

 protected:
  // A parameter's part in a step.
  struct Part {
    std::size_t index;    // of the parameter; its steps count this one
    at::Tensor gradient;  // undefined: zero
    double scale;         // of the gradient
  };

  // The masters are shared with the caller. `name` opens messages ("adamw").
  // CallerError unless names differ and all masters are float32.
  Optimizer(
      std::string name, std::vector<TrainedTensor> parameters, bool dense);

  // Changes masters and moments; without gradient mode.
  virtual void update(const std::vector<Part>& parts, double learning_rate) = 0;

  std::vector<TrainedTensor> parameters_;
  std::vector<OptimizerState> states_;  // the subclass makes the moments

 private:
  std::string name_;
  bool dense_;
};

}  // namespace moft
