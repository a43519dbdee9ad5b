// The steered operations that models are built of: a linear map, an embedding
// table and a gain vector. A model never asks whether a parameter is steered;
// these classes own the choice of how a batch with several steerings is
// computed:
//
//   one steering in the batch       its mixed weight (cached)
//   at most m + 1 distinct ones,
//   or weights stored in bf16       one product per group of equal rows
//   more                            one wide product,
//                                   y = [c_0 x | c_1 x | ..] [W_0 | W_1 | ..]^T
//   low-rank adapters               thin products with a row-wise scaling
//
// The ways agree to rounding of float32; tests hold the tolerance. In bf16 only
// the mixed weight, rounded once, is the policy, whatever else is in the batch;
// a decoder keeps one for each steering of its batch. Within one way a row's
// bits do not depend on its neighbours.
//
// Thread safety: one thread at a time (caches).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <ATen/ATen.h>

#include "moft/conditioning/low_rank.h"
#include "moft/conditioning/row_steering.h"
#include "moft/conditioning/steered_parameter.h"

namespace moft {

// How a batch with several distinct steerings meets full copies.
enum class ManyWays { kAuto, kGrouped, kWide };

class SteeredLinear {
 public:
  SteeredLinear() = default;
  SteeredLinear(
      std::shared_ptr<SteeredParameter> weight,           // [out, in]
      std::shared_ptr<SteeredParameter> bias = nullptr);  // [out]

  // x [rows, in] -> [rows, out]. Differentiable in x and in what is trained
  // when gradient mode is on; then a trained weight must have a leaf, which
  // stands for the one steering of the batch.
  at::Tensor forward(const at::Tensor& x, const RowSteering& steering) const;

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
  void set_many_ways(ManyWays ways) { ways_ = ways; }

 private:
  at::Tensor base(const at::Tensor& x, const RowSteering& steering) const;
  bool groups(const RowSteering& steering) const;
  at::Tensor grouped(const at::Tensor& x, const RowSteering& steering) const;
  at::Tensor wide(const at::Tensor& x, const RowSteering& steering) const;

  std::shared_ptr<SteeredParameter> weight_;
  std::shared_ptr<SteeredParameter> bias_;
  std::shared_ptr<LowRankAdapters> adapters_;
  ManyWays ways_ = ManyWays::kAuto;
};

// Whether the rows of a batch multiply with different values of a parameter:
// a steered one under several steerings, or a shared one where some rows are
// the frozen reference's.
bool differs_by_row(
    const SteeredParameter& parameter, const RowSteering& steering);

// Row gains (the scale of a norm): values [width] per steering.
// Returns [width] for one steering, [rows, width] for several.
at::Tensor steered_gain(
    const SteeredParameter& gain, const RowSteering& steering);

// Rows of an embedding table [vocab, width] for ids int64 [rows].
at::Tensor steered_embedding(
    const SteeredParameter& table,
    const at::Tensor& ids,
    const RowSteering& steering);

}  // namespace moft
