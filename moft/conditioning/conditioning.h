// Conditioning installed on a model: which parameters are steered, their
// gradients, and their tensors by name.
//
//   full, attention, logits, pattern, none (steered_set.h)
//          the parameters in S exist in m copies; all others (S^c) are
//          trained and common to all steerings, or stay frozen;
//   lora   S is one low-rank adapter per objective on frozen weights.
//
// A training step under copies works on one steering at a time:
//   begin_gradient(c) -> forward, backward -> end_gradient(c)
// and the gradient of copy i is c_i G, that of a shared parameter G (CLP,
// appendix A.3). When a step has one steering only, G is handed to the
// optimizer with its coefficients; several are accumulated per copy. Under
// `lora` the rows of one batch may carry any steerings: the row-wise scaling
// applies the c_i.
//
// The reference is the model as loaded: its shared parameters are not the
// trained ones. At beta = 1 a policy with trained shared parameters is
// therefore not its reference; under full, lora and freeze_shared it is.
//
// Names in files: "<objective>/<parameter>" for copies, "shared/<parameter>"
// for trained shared parameters (no parameter is both), and
// "<objective>/<module>.lora_A.weight" / ".lora_B.weight" (PEFT's shapes,
// [rank, in] and [out, rank]) for adapters.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/conditioning/conditioning_options.h"
#include "moft/conditioning/steerable.h"

namespace moft {

// One trained master and its gradient in this step.
struct TrainedParameter {
  std::string name;
  at::Tensor master;
  bool decays = true;
  std::optional<std::size_t> copy;  // objective i; none: shared
  // Undefined when the copy takes no part in the step.
  at::Tensor gradient;
  double coefficient = 1.0;  // the gradient of the master is this times it
};

struct ParameterCounts {
  std::int64_t model = 0;    // the plain model
  std::int64_t steered = 0;  // |S|, of one copy
  std::int64_t shared = 0;   // |S^c|, trained or not
  std::int64_t trained = 0;  // m |S| + the trained part of S^c
  std::int64_t policy = 0;   // m |S| + |S^c|: what a policy consists of
};

class Conditioning {
 public:
  // Installs on `model`, which must outlive this. At once the policy equals
  // the reference for every steering.
  Conditioning(
      Steerable& model,
      const ConditioningOptions& options,
      std::vector<std::string> objectives,
      std::uint64_t seed);

  const std::vector<std::string>& objectives() const { return objectives_; }
  const ConditioningOptions& options() const { return options_; }
  // True when a batch with gradient may hold rows of several steerings.
  bool mixes_rows() const {
    return options_.steered_set == SteeredSet::kLora ||
           options_.steered_set == SteeredSet::kNone;
  }
  ParameterCounts counts() const;

  // Fixes how the copies are applied for the job that follows, whose rows carry
  // up to this many distinct steerings, the reference's included when it
  // answers beside them. In float32 more than m + 1 take the wide product;
  // everything else takes mixed weights, and adapters are the same in every
  // job. A new Conditioning expects one steering.
  void expect_steerings(std::int64_t distinct);
  // What expect_steerings() would choose: "mixed weights", "wide product" or
  // "low-rank adapters"; for logs and reports.
  std::string steering_way(std::int64_t distinct) const;

  // --- a training step
  void zero_gradient();
  void begin_gradient(const Coefficients& coefficients);
  // Collects the gradient of the pass. REQUIRES the coefficients given to
  // begin_gradient().
  void end_gradient(const Coefficients& coefficients);
  // Under lora: which copies had any weight in this step.
  void note_steerings(const std::vector<Coefficients>& coefficients);
  // Masters in a fixed order with the step's gradients.
  std::vector<TrainedParameter> trained() const;
  // After the optimizer wrote the masters.
  void masters_changed();

  // --- files
  std::map<std::string, at::Tensor> tensors() const;
  // Reads every tensor by name with its shape; `read` throws when missing.
  using ReadTensor = std::function<at::Tensor(
      const std::string& name, const std::vector<std::int64_t>& shape)>;
  void load(const ReadTensor& read);
  // Names that load() asks for.
  std::vector<std::string> tensor_names() const;
  // W(c) of every parameter that differs from the reference, by the
  // parameter's name: what `export` writes.
  std::map<std::string, at::Tensor> merged(const Coefficients& c) const;

 private:
  struct Accumulated {
    std::vector<at::Tensor> per_copy;  // [m], undefined: no part
    at::Tensor single;  // G of a step's only steering, or of a shared one
    std::optional<Coefficients> coefficients;
  };
  SteeringWay way_for(std::int64_t distinct) const;
  void install_copies();
  void install_lora(std::uint64_t seed);
  void accumulate(std::size_t parameter, const Coefficients& c);
  void make_per_copy(Accumulated& accumulated);
  void add_trained_copies(
      std::size_t parameter, std::vector<TrainedParameter>& result) const;
  void add_trained_adapters(std::vector<TrainedParameter>& result) const;
  bool takes_part(std::size_t copy) const;

  Steerable& model_;
  ConditioningOptions options_;
  std::vector<std::string> objectives_;
  std::vector<SteerableLinear> adapted_;  // lora
  std::vector<Accumulated> accumulated_;  // copies: per model parameter
  std::vector<bool> weighted_;            // lora: copies with weight
  std::int64_t plain_parameters_ = 0;     // of the model as loaded
};

}  // namespace moft
