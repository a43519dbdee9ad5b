// Conditioning installed on a model: which parameters are steered, their
// gradients, and their tensors by name.
//
//   full, attention, logits, pattern, none   parameter_copies.h
//   lora                                     adapter_set.h
//
// Another form of an objective's own parameters, such as adapters with a
// trained diagonal or soft prompts, is another class of this interface and a
// line in install_conditioning().
//
// A training step is
//   zero_gradient() -> note_steerings(..)
//   -> begin_gradient(c) -> forward, backward -> end_gradient(c), once or more
//   -> end_slice(), where a step has slices; these lines again for each
//   -> gradients() -> the optimizer -> masters_changed()
// Where mixes_rows() is false each pass works on one steering c; else the rows
// of one batch may carry any steerings.
//
// A slice's gradient depends on its passes alone; those of the slices are added
// one after the other (gradient_sum.h).
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
// Several ranks that train under one steering at a time may share the copies:
// each holds 1/N of their elements (TrainedTensor::part), and before passes
// under c all ranks gather(c). Adapters, and what all steerings have in common,
// every rank holds.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/gradient.h"
#include "moft/algorithms/shards.h"
#include "moft/conditioning/conditioning_options.h"
#include "moft/conditioning/gradient_sum.h"
#include "moft/conditioning/steerable.h"

namespace moft {

struct ParameterCounts {
  std::int64_t model = 0;    // the plain model
  std::int64_t steered = 0;  // |S|, of one copy
  std::int64_t shared = 0;   // |S^c|, trained or not
  std::int64_t trained = 0;  // m |S| + the trained part of S^c
  std::int64_t policy = 0;   // m |S| + |S^c|: what a policy consists of
};

// The whole tensor's.
std::vector<std::int64_t> shape_in_files(const TrainedTensor& entry);

class Conditioning {
 public:
  virtual ~Conditioning() = default;

  const std::vector<std::string>& objectives() const { return objectives_; }
  const ConditioningOptions& options() const { return options_; }
  ParameterCounts counts() const;
  // True when a batch with gradient may hold rows of several steerings.
  virtual bool mixes_rows() const = 0;

  // Fixes how the copies are applied for the job that follows, whose rows carry
  // up to this many distinct steerings, the reference's included when it
  // answers beside them. In float32 more than m + 1 take the wide product;
  // everything else takes mixed weights, and adapters are the same in every
  // job. A new Conditioning expects one steering.
  virtual void expect_steerings(std::int64_t distinct) = 0;
  // What expect_steerings() would choose, for logs: "mixed weights", "wide
  // product", "low-rank adapters" or "prompt only" (no parameter is steered).
  virtual std::string steering_way(std::int64_t distinct) const = 0;

  // --- a training step
  virtual void zero_gradient() = 0;
  virtual void begin_gradient(const Coefficients& coefficients) = 0;
  // Collects the gradient of the pass. REQUIRES the coefficients given to
  // begin_gradient().
  virtual void end_gradient(const Coefficients& coefficients) = 0;
  // The passes since the last end_slice(), or zero_gradient(), were a slice.
  virtual void end_slice() = 0;
  // In the place of end_slice(), for slices that are added elsewhere: takes out
  // what was collected. How many sums there are depends on the steerings that
  // were noted alone.
  virtual GradientSlice take_slice() = 0;
  // Puts such sums in, of any shape, after zero_gradient() and the same
  // note_steerings(): the step's gradient.
  virtual void put_slice(GradientSlice sums) = 0;
  // The steerings of the whole step: an adapter that has no weight in any of
  // them takes no part in it, and several make a sum for each copy from the
  // first pass on, so that sums of parts of a step are alike.
  virtual void note_steerings(const std::vector<Coefficients>& steerings) = 0;
  // Masters, in a fixed order and the same tensors for life.
  const std::vector<TrainedTensor>& trained() const { return trained_; }
  // The step's gradient of each of trained(); undefined where it takes no part.
  // The live tensors, once the last slice has ended.
  virtual std::vector<ScaledGradient> gradients() const = 0;
  // After the optimizer wrote the masters.
  virtual void masters_changed() = 0;

  // --- copies that ranks share; each of these does nothing where they do not
  // Those ranks; a process alone where it holds everything.
  const Ranks& ranks() const { return ranks_; }
  // Every rank calls it before passes under c, with the same c: value(c) of all
  // parameters, until masters_changed() or another c.
  virtual void gather(const Coefficients& /*c*/) {}
  // Gives every rank all copies, for what reads several at once, and takes them
  // away again. Nothing may be trained meanwhile. Every rank calls it.
  virtual void hold_copies() {}
  virtual void drop_copies() {}
  // Every rank calls it; rank 0 runs `work`, others give null. In it rank 0
  // alone calls gather() and whole(), which the others take part in until it
  // ends. What it throws is thrown on rank 0.
  virtual void serve(const std::function<void()>& work) {
    if (work) work();
  }

  // --- files
  // All of trained(), or what this rank keeps of it: parts under the names of
  // shards (shards.h); what every rank holds from rank 0 alone.
  std::map<std::string, at::Tensor> tensors() const;
  // One of trained(), as files have it; every rank calls it.
  virtual at::Tensor whole(std::size_t index) const;
  // Reads every tensor by name with its whole shape; `read` throws when
  // missing. Where it returns none the tensor stays as it is.
  using ReadTensor = std::function<at::Tensor(
      const std::string& name, const std::vector<std::int64_t>& shape)>;
  void load(const ReadTensor& read);
  // Names that load() asks for.
  std::vector<std::string> tensor_names() const;
  // W(c) of every parameter that differs from the reference, by the
  // parameter's name: what `export` writes.
  virtual std::map<std::string, at::Tensor> merged(
      const Coefficients& c) const = 0;

 protected:
  // `model` must outlive this.
  Conditioning(
      Steerable& model,
      const ConditioningOptions& options,
      std::vector<std::string> objectives,
      Ranks ranks = {});

  Steerable& model_;
  std::vector<TrainedTensor> trained_;

 private:
  // Numbers of one objective's parameters beside the model's own.
  virtual std::int64_t added() const = 0;

  ConditioningOptions options_;
  std::vector<std::string> objectives_;
  Ranks ranks_;
  std::int64_t plain_parameters_ = 0;  // of the model as loaded
};

// Installs on `model`, which must outlive the result. At once the policy equals
// the reference for every steering. CallerError when the options choose nothing
// of this model. `ranks` share the copies, where it makes copies.
std::unique_ptr<Conditioning> install_conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed,
    const Ranks& ranks = {});

// Every rank has all copies as long as this lives.
class WholeCopies {
 public:
  explicit WholeCopies(Conditioning& conditioning)
      : conditioning_(conditioning) {
    conditioning_.hold_copies();
  }
  ~WholeCopies() { conditioning_.drop_copies(); }
  WholeCopies(const WholeCopies&) = delete;
  WholeCopies& operator=(const WholeCopies&) = delete;

 private:
  Conditioning& conditioning_;
};

}  // namespace moft
