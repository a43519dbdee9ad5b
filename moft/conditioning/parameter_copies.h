// The parameters in S exist in m copies; all others (S^c) are trained and
// common to all steerings, or stay frozen. For full, attention, logits, pattern
// and none (steered_set.h).
//
// A pass with gradient works on one steering: the mixed value is a leaf that
// collects G, and the gradient of copy i is c_i G, that of a shared parameter G
// (CLP, appendix A.3). If a step has one steering, the gradients are the pairs
// (G, c_i); several are accumulated per copy, from the first pass on where the
// step's steerings are noted.
//
// Thread safety: one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/copy_parts.h"
#include "moft/conditioning/gradient_sum.h"

namespace moft {

class ParameterCopies : public Conditioning {
 public:
  // Installs on `model`, which must outlive this.
  ParameterCopies(
      Steerable& model,
      const ConditioningOptions& options,
      std::vector<std::string> objectives,
      const Ranks& ranks = {});

  bool mixes_rows() const override {
    return options().steered_set == SteeredSet::kNone;
  }
  void expect_steerings(std::int64_t distinct) override;
  std::string steering_way(std::int64_t distinct) const override;
  void zero_gradient() override;
  void begin_gradient(const Coefficients& coefficients) override;
  void end_gradient(const Coefficients& coefficients) override;
  void end_slice() override;
  GradientSlice take_slice() override;
  void put_slice(GradientSlice sums) override;
  void note_steerings(const std::vector<Coefficients>& steerings) override;
  std::vector<ScaledGradient> gradients() const override;
  void masters_changed() override;
  void gather(const Coefficients& c) override;
  void hold_copies() override;
  void drop_copies() override;
  void serve(const std::function<void()>& work) override;
  at::Tensor whole(std::size_t index) const override;
  std::map<std::string, at::Tensor> merged(
      const Coefficients& c) const override;

 private:
  std::int64_t added() const override { return 0; }
  struct Accumulated {
    std::vector<GradientSum> per_copy;  // [m], undefined: no part
    GradientSum single;  // G of a step's only steering, or of a shared one
    std::optional<Coefficients> coefficients;
  };
  SteeringWay way_for(std::int64_t distinct) const;
  void list_trained();
  void accumulate(std::size_t parameter, const Coefficients& c);
  void make_per_copy(Accumulated& accumulated) const;
  // Whether the parameter has a sum for each copy in this step.
  bool sums_copies(std::size_t parameter) const;
  ScaledGradient gradient(std::size_t parameter, std::size_t copy) const;

  std::vector<Accumulated> accumulated_;   // per model parameter
  std::vector<std::size_t> parameter_of_;  // by index in trained()
  std::unique_ptr<CopyParts> parts_;       // null: all copies are here
  bool several_ = false;                   // steerings were noted of this step
  std::optional<Coefficients> noted_;      // the first of them
};

}  // namespace moft
