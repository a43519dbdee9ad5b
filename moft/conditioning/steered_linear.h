// The linear map that models are built of. A model never asks whether its
// parameters are steered; this class multiplies each row under its steering:
//
//   adapters             thin products with a row-wise scaling (low_rank.h);
//   SteeringWay::kMixed  the rows of each steering with its mixed weight;
//   SteeringWay::kWide   every row with all sources at once,
//                        y = [c_0 x | c_1 x | ..] [W_0 | W_1 | ..]^T
//
// Which of the two ways copies take is a property of the weight (conditioning
// sets it for a whole job), never of the batch: a row's bits do not depend on
// its neighbours. The two agree to rounding of float32; tests hold the
// tolerance. A pass with gradient works on one steering and its mixed weight.
//
// Thread safety: one thread at a time (caches).
#pragma once

#include <memory>

#include <ATen/ATen.h>

#include "moft/conditioning/low_rank.h"
#include "moft/conditioning/row_steering.h"
#include "moft/conditioning/steered_parameter.h"

namespace moft {

class SteeredLinear {
 public:
  SteeredLinear() = default;
  SteeredLinear(
      std::shared_ptr<SteeredParameter> weight,           // [out, in]
      std::shared_ptr<SteeredParameter> bias = nullptr);  // [out]

  // x [rows, in] -> [rows, out]. Differentiable in x and in what is trained
  // when gradient mode is on; then a trained weight must have a leaf, the mixed
  // weight of the batch's one steering.
  at::Tensor forward(const at::Tensor& x, const RowSteering& steering) const;

  // REQUIRES a frozen weight, which stays so.
  void add_adapters(LowRankAdapters adapters);
  LowRankAdapters* adapters() { return adapters_.get(); }
  const LowRankAdapters* adapters() const { return adapters_.get(); }
  // Whether the answer depends on the steering.
  bool steered() const;

  SteeredParameter& weight() const { return *weight_; }
  const std::shared_ptr<SteeredParameter>& weight_handle() const {
    return weight_;
  }
  // Another matrix of the same shape takes the weight's place.
  void replace_weight(std::shared_ptr<SteeredParameter> weight);
  const std::shared_ptr<SteeredParameter>& bias() const { return bias_; }
  std::int64_t in() const { return weight_->size(1); }
  std::int64_t out() const { return weight_->size(0); }

 private:
  // x through the weight, without bias and adapters.
  at::Tensor product(const at::Tensor& x, const RowSteering& steering) const;
  at::Tensor add_bias(at::Tensor y, const RowSteering& steering) const;
  at::Tensor grouped(const at::Tensor& x, const RowSteering& steering) const;
  at::Tensor wide(const at::Tensor& x, const RowSteering& steering) const;

  std::shared_ptr<SteeredParameter> weight_;
  std::shared_ptr<SteeredParameter> bias_;
  std::shared_ptr<LowRankAdapters> adapters_;
};

}  // namespace moft
