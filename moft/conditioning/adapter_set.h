// One low-rank adapter per objective (low_rank.h) on the linear maps that
// conditioning.lora chooses; the model itself stays frozen.
//
// Parameters may be trained whole beside the adapters, one copy of each for all
// steerings (PEFT's modules_to_save): the head of a classifier.
//
// The rows of a batch with gradient may carry any steerings: the row-wise
// scaling applies the c_i.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/gradient_sum.h"

namespace moft {

class AdapterSet : public Conditioning {
 public:
  // Installs on `model`, which must outlive this. CallerError when `options`
  // choose no linear map of the model. A joint matrix of queries, keys and
  // values is chosen by any of the three. `whole`: trained whole. `key`: of
  // options.lora in the recipe, for messages.
  AdapterSet(
      Steerable& model,
      const ConditioningOptions& options,
      std::vector<std::string> objectives,
      std::uint64_t seed,
      std::vector<std::shared_ptr<SteeredParameter>> whole = {},
      const std::string& key = "conditioning.lora");

  bool mixes_rows() const override { return true; }
  void expect_steerings(std::int64_t) override {}
  std::string steering_way(std::int64_t) const override {
    return "low-rank adapters";
  }
  void zero_gradient() override;
  void begin_gradient(const Coefficients& coefficients) override;
  void end_gradient(const Coefficients& coefficients) override;
  void end_slice() override;
  GradientSlice take_slice() override;
  void put_slice(GradientSlice sums) override;
  void note_steerings(const std::vector<Coefficients>& steerings) override;
  std::vector<ScaledGradient> gradients() const override;
  void masters_changed() override;
  std::map<std::string, at::Tensor> merged(
      const Coefficients& c) const override;

 private:
  std::int64_t added() const override;

  std::vector<SteerableLinear> adapted_;
  // Sums for A and B of each, of the slices that ended; the open slice's are
  // with the masters' leaves, where backward leaves them.
  std::vector<at::Tensor> ended_;
  std::vector<bool> weighted_;  // copies with weight in this step
  std::vector<std::shared_ptr<SteeredParameter>> whole_;
  std::vector<GradientSum> whole_gradients_;
};

}  // namespace moft
