// What every optimizer offers the training loop: step, state out, state in.
//
// A copy whose coefficient is 0 takes no part in a step: it keeps its state and
// its counter. With `dense` it receives a zero gradient instead.
//
// With several ranks each keeps the moments of its own shards (shards.h),
// updates those, and receives the others' masters at the end of a step, of
// parameters that it holds as a whole; counters are everybody's. The bits are
// those of one process.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/algorithms/gradient.h"
#include "moft/algorithms/shards.h"

namespace moft {

// One parameter's state.
struct OptimizerState {
  // By kind: "first_moment". Of a shard flat; none where another rank has all.
  std::map<std::string, at::Tensor> moments;
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
  // With several ranks all of them step, with the same arguments.
  void step(
      const std::vector<ScaledGradient>& gradients,
      double learning_rate,
      double gradient_factor = 1.0);

  const std::vector<TrainedTensor>& parameters() const { return parameters_; }
  const std::vector<OptimizerState>& states() const { return states_; }

  // What this rank keeps. "<name>.<moment>": the live tensors, not copies;
  // write them before the next step; "<name>.<moment>[<begin>:<end>]", flat,
  // for a shard. "<name>.steps": int64 [], from rank 0.
  std::map<std::string, at::Tensor> export_state() const;
  // Copies this rank's part of the values in. `tensors` is what all ranks of a
  // run exported, however many there were. CallerError names what is missing,
  // unknown, of another shape or type, negative or there twice; nothing is
  // changed then.
  void import_state(const std::map<std::string, at::Tensor>& tensors);

 protected:
  // A parameter's part in a step.
  struct Part {
    std::size_t index;    // of the parameter; its steps count this one
    at::Tensor master;    // this rank's shard of it, flat, or all of it
    at::Tensor gradient;  // of the same elements; undefined: zero
    double scale;         // of the gradient
  };

  // The masters are shared with the caller. `name` opens messages ("adamw").
  // CallerError unless names differ and all masters are float32.
  Optimizer(
      std::string name,
      std::vector<TrainedTensor> parameters,
      bool dense,
      Division division,
      Ranks ranks);

  // Makes this rank's part of a moment that has `shape` as a whole, zeros. For
  // the subclass's constructor. REQUIRES the master's shape where the division
  // is by chunks; masters in parts have one that is.
  void add_moment(
      std::size_t index, const std::string& kind, at::IntArrayRef shape);

  // Changes masters and moments; without gradient mode.
  virtual void update(const std::vector<Part>& parts, double learning_rate) = 0;

  std::vector<TrainedTensor> parameters_;
  std::vector<OptimizerState> states_;

 private:
  void exchange(const std::vector<bool>& changed) const;

  std::string name_;
  bool dense_;
  Ranks ranks_;
  std::vector<Shard> shards_;  // of all ranks
  // This rank's, by parameter.
  std::vector<std::optional<Shard>> own_;
  // Shapes of the whole moments, by parameter and kind.
  std::vector<std::map<std::string, std::vector<std::int64_t>>> shapes_;
};

}  // namespace moft
