#include "moft/conditioning/steered_linear.h"

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/mixing.h"

namespace moft {
namespace {

bool steered(const SteeredParameter& parameter) {
  return parameter.role() == ParameterRole::kSteered;
}

// Rows that multiply with the same value of a parameter.
struct Group {
  Coefficients coefficients;
  at::Tensor rows;  // int64
};

std::vector<Group> groups_of(
    const SteeredParameter& parameter, const RowSteering& steering) {
  const auto& distinct = steering.distinct();
  std::vector<Group> groups;
  if (steered(parameter)) {
    for (std::size_t k = 0; k < distinct.size(); ++k)
      groups.push_back({distinct[k], steering.rows_of(k)});
  } else {
    // Shared: the policy's value or the reference's.
    std::size_t trained = 0;
    std::size_t reference = 0;
    for (std::size_t k = 0; k < distinct.size(); ++k)
      (distinct[k].is_frozen_reference() ? reference : trained) = k;
    groups.push_back({distinct[reference], steering.rows_of_reference(true)});
    groups.push_back({distinct[trained], steering.rows_of_reference(false)});
  }
  std::erase_if(groups, [](const Group& g) { return g.rows.numel() == 0; });
  return groups;
}

// Mixtures on another device than the CPU: a few operations whatever the number
// of steerings, and nothing to wait for. The sums run in double there too.
at::Tensor gain_there(
    const SteeredParameter& gain, const RowSteering& steering) {
  const at::Tensor sources = at::stack(gain.sources());  // [m + 1, width]
  return at::mm(steering.table(sources.device()), sources.to(at::kDouble))
      .to(sources.scalar_type())
      .index_select(0, steering.index());
}

at::Tensor embedding_there(
    const SteeredParameter& table,
    const at::Tensor& ids,
    const RowSteering& steering) {
  const at::Tensor c =
      steering.table(ids.device()).index_select(0, steering.index());
  const std::vector<at::Tensor> sources = table.sources();
  at::Tensor sum;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const at::Tensor part = sources[i].index_select(0, ids).to(at::kDouble) *
                            c.narrow(1, static_cast<std::int64_t>(i), 1);
    sum = sum.defined() ? sum.add_(part) : part;
  }
  return sum.to(sources[0].scalar_type());
}

bool differentiate(const SteeredParameter& parameter) {
  return at::GradMode::is_enabled() && parameter.leaf().defined();
}

}  // namespace

bool differs_by_row(
    const SteeredParameter& parameter, const RowSteering& steering) {
  if (steering.is_uniform()) return false;
  if (parameter.role() == ParameterRole::kShared) {
    return steering.some_read_the_reference();
  }
  return steered(parameter);
}

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
  adapters_ = std::make_shared<LowRankAdapters>(std::move(adapters));
}

bool SteeredLinear::steered() const {
  return adapters_ != nullptr || moft::steered(*weight_) ||
         (bias_ != nullptr && moft::steered(*bias_));
}

at::Tensor SteeredLinear::forward(
    const at::Tensor& x, const RowSteering& steering) const {
  if (adapters_ == nullptr || steering.is_reference()) return base(x, steering);
  const bool frozen =
      !differentiate(*weight_) && !differs_by_row(*weight_, steering);
  if (!frozen) return adapters_->add_to(base(x, steering), x, steering);
  const at::Tensor y = adapters_->forward(
      x, weight_->packed(steering.uniform_coefficients()), steering);
  return bias_ == nullptr ? y : y + steered_gain(*bias_, steering);
}

at::Tensor SteeredLinear::base(
    const at::Tensor& x, const RowSteering& steering) const {
  if (differentiate(*weight_)) {
    const at::Tensor y = kernels::trained_linear(
        x, weight_->leaf(), weight_->packed(steering.uniform_coefficients()));
    return bias_ == nullptr ? y : y + steered_gain(*bias_, steering);
  }
  if (!differs_by_row(*weight_, steering)) {
    const Coefficients& c = steering.uniform_coefficients();
    at::Tensor y = kernels::frozen_linear(x, weight_->packed(c));
    return bias_ == nullptr ? y : y + steered_gain(*bias_, steering);
  }
  at::Tensor y = groups(steering) ? grouped(x, steering) : wide(x, steering);
  return bias_ == nullptr ? y : y.add_(steered_gain(*bias_, steering));
}

// Rounded copies do not add up to the rounded mixture, which is what a pass
// with gradient, an export and a batch of one steering multiply with.
bool SteeredLinear::groups(const RowSteering& steering) const {
  if (!moft::steered(*weight_) || ways_ == ManyWays::kGrouped) return true;
  if (ways_ == ManyWays::kWide) return false;
  const auto few = weight_->copies().size() + 1;
  return weight_->storage() != kernels::Storage::kFloat32 ||
         steering.distinct().size() <= few;
}

at::Tensor SteeredLinear::grouped(
    const at::Tensor& x, const RowSteering& steering) const {
  at::Tensor y = at::empty({x.size(0), out()}, x.options());
  weight_->make_room(steering.distinct().size());
  for (const Group& group : groups_of(*weight_, steering)) {
    const auto& weight = weight_->packed(group.coefficients);
    const at::Tensor some = x.index_select(0, group.rows);
    y.index_copy_(0, group.rows, kernels::frozen_linear(some, weight));
  }
  return y;
}

// The wide product, source by source, so that each source is packed once:
// [c_0 x | c_1 x | ..] [W_0 | W_1 | ..]^T = sum_i c_i (x W_i^T).
at::Tensor SteeredLinear::wide(
    const at::Tensor& x, const RowSteering& steering) const {
  const at::Tensor c = steering.coefficients(x.device());  // [rows, m + 1]
  const auto objectives = weight_->copies().size();
  const auto reference =
      reference_coefficients(static_cast<std::int64_t>(objectives));
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

at::Tensor steered_gain(
    const SteeredParameter& gain, const RowSteering& steering) {
  if (differentiate(gain)) return gain.leaf();
  if (!differs_by_row(gain, steering)) {
    return gain.value(steering.uniform_coefficients());
  }
  if (!steered(gain)) {
    std::vector<at::Tensor> values;
    for (const Coefficients& c : steering.distinct())
      values.push_back(gain.value(c));
    return at::stack(values).index_select(0, steering.index());
  }
  if (!gain.device().is_cpu()) return gain_there(gain, steering);
  return mix_each(gain.sources(), steering.distinct())
      .index_select(0, steering.index());
}

at::Tensor steered_embedding(
    const SteeredParameter& table,
    const at::Tensor& ids,
    const RowSteering& steering) {
  if (differentiate(table)) return at::embedding(table.leaf(), ids);
  if (!differs_by_row(table, steering)) {
    return table.rows(ids, steering.uniform_coefficients());
  }
  if (steered(table) && !table.device().is_cpu())
    return embedding_there(table, ids, steering);
  const at::Tensor& reference = table.reference();
  at::Tensor rows =
      at::empty({ids.size(0), reference.size(1)}, reference.options());
  for (const Group& group : groups_of(table, steering)) {
    const at::Tensor wanted = ids.index_select(0, group.rows);
    if (!steered(table)) {
      rows.index_copy_(0, group.rows, table.rows(wanted, group.coefficients));
      continue;
    }
    std::vector<at::Tensor> sources = table.sources();
    for (at::Tensor& source : sources)
      source = source.index_select(0, wanted);
    rows.index_copy_(0, group.rows, mix(sources, group.coefficients));
  }
  return rows;
}

}  // namespace moft
