// A linear map whose weight, bias or adapters may be steered.
#include "moft/conditioning/steered_linear.h"

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/steered_rows.h"

namespace moft {

SteeredLinear::SteeredLinear(
    std::shared_ptr<SteeredParameter> weight,
    std::shared_ptr<SteeredParameter> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {}

void SteeredLinear::replace_weight(std::shared_ptr<SteeredParameter> weight) {
  TORCH_CHECK(
      weight->shape() == weight_->shape(),
      "[steered_linear] a weight of another shape");
  weight_ = std::move(weight);
}

void SteeredLinear::add_adapters(LowRankAdapters adapters) {
  TORCH_CHECK(
      weight_->role() == ParameterRole::kFrozen,
      "[steered_linear] adapters need a frozen weight");
  adapters_ = std::make_shared<LowRankAdapters>(std::move(adapters));
}

bool SteeredLinear::steered() const {
  return adapters_ != nullptr || weight_->steered() ||
         (bias_ != nullptr && bias_->steered());
}

at::Tensor SteeredLinear::forward(
    const at::Tensor& x, const RowSteering& steering) const {
  if (adapters_ == nullptr || steering.is_reference())
    return add_bias(product(x, steering), steering);
  const auto& weight = weight_->packed(steering.uniform_coefficients());
  return add_bias(adapters_->forward(x, weight, steering), steering);
}

at::Tensor SteeredLinear::product(
    const at::Tensor& x, const RowSteering& steering) const {
  if (collects_gradient(*weight_)) {
    return kernels::trained_linear(
        x, weight_->leaf(), weight_->packed(steering.uniform_coefficients()));
  }
  const bool sums = weight_->steered() && weight_->way() == SteeringWay::kWide;
  if (sums && !steering.is_reference()) return wide(x, steering);
  if (differs_by_row(*weight_, steering)) return grouped(x, steering);
  const Coefficients& c = steering.uniform_coefficients();
  return kernels::frozen_linear(x, weight_->packed(c));
}

at::Tensor SteeredLinear::add_bias(
    at::Tensor y, const RowSteering& steering) const {
  if (bias_ == nullptr) return y;
  const at::Tensor bias = steered_gain(*bias_, steering);
  return at::GradMode::is_enabled() ? y + bias : y.add_(bias);
}

at::Tensor SteeredLinear::grouped(
    const at::Tensor& x, const RowSteering& steering) const {
  at::Tensor y = at::empty({x.size(0), out()}, x.options());
  weight_->make_room(steering.distinct().size());
  for (const RowGroup& group : groups_of(*weight_, steering)) {
    const auto& weight = weight_->packed(group.coefficients);
    const at::Tensor some = x.index_select(0, group.rows);
    y.index_copy_(0, group.rows, kernels::frozen_linear(some, weight));
  }
  return y;
}

// Source by source, so that each source is packed once:
// [c_0 x | c_1 x | ..] [W_0 | W_1 | ..]^T = sum_i c_i (x W_i^T).
at::Tensor SteeredLinear::wide(
    const at::Tensor& x, const RowSteering& steering) const {
  const at::Tensor& c = steering.coefficients(x.device());  // [rows, m + 1]
  const auto objectives = weight_->copies().size();
  const auto reference = Coefficients::frozen_reference();
  at::Tensor y = kernels::frozen_linear(x, weight_->packed(reference))
                     .mul_(c.narrow(1, 0, 1));
  for (std::size_t i = 0; i < objectives; ++i) {
    const Coefficients copy(0.0, Weighting::corner(objectives, i));
    // Not fused: a fused sum's bits depend on the row's place in memory.
    y.add_(kernels::frozen_linear(x, weight_->packed(copy))
               .mul_(c.narrow(1, static_cast<std::int64_t>(i) + 1, 1)));
  }
  return y;
}

}  // namespace moft
