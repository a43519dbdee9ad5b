// The parameters that exist once per objective, whatever form they have: copies
// of the model's own (parameter_copies.h) or adapters beside them
// (adapter_set.h). Another form, such as adapters with a trained diagonal or
// soft prompts, is another implementation and a line in Conditioning's
// constructor.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/gradient.h"
#include "moft/weightings/steering.h"

namespace moft {

class ObjectiveParameters {
 public:
  virtual ~ObjectiveParameters() = default;

  // Numbers of one objective's parameters beside the model's own.
  virtual std::int64_t added() const = 0;
  // True when a batch with gradient may hold rows of several steerings.
  virtual bool mixes_rows() const = 0;
  // See Conditioning.
  virtual void expect_steerings(std::int64_t distinct) = 0;
  virtual std::string steering_way(std::int64_t distinct) const = 0;

  // --- a training step, in Conditioning's words
  virtual void zero_gradient() = 0;
  virtual void begin_gradient(const Coefficients& coefficients) = 0;
  virtual void end_gradient(const Coefficients& coefficients) = 0;
  virtual void note_steerings(const std::vector<Coefficients>& steerings) = 0;
  // The masters, in a fixed order and the same tensors for life.
  virtual const std::vector<TrainedTensor>& trained() const = 0;
  // The step's gradient of each.
  virtual std::vector<ScaledGradient> gradients() const = 0;
  // After the masters were written.
  virtual void masters_changed() = 0;

  // W(c) of every parameter of the model that differs from the reference, by
  // its name.
  virtual std::map<std::string, at::Tensor> merged(
      const Coefficients& c) const = 0;
};

}  // namespace moft
