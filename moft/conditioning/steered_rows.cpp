// A parameter under a batch of steerings: groups of rows, gains, embeddings.
#include "moft/conditioning/steered_rows.h"

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/mixing.h"

namespace moft {
namespace {

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

}  // namespace

bool collects_gradient(const SteeredParameter& parameter) {
  return at::GradMode::is_enabled() && parameter.leaf().defined();
}

bool differs_by_row(
    const SteeredParameter& parameter, const RowSteering& steering) {
  if (steering.is_uniform()) return false;
  if (parameter.role() == ParameterRole::kShared) {
    return steering.some_read_the_reference();
  }
  return parameter.steered();
}

std::vector<RowGroup> groups_of(
    const SteeredParameter& parameter, const RowSteering& steering) {
  const auto& distinct = steering.distinct();
  std::vector<RowGroup> groups;
  if (parameter.steered()) {
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
  std::erase_if(groups, [](const RowGroup& g) { return g.rows.numel() == 0; });
  return groups;
}

at::Tensor steered_gain(
    const SteeredParameter& gain, const RowSteering& steering) {
  if (collects_gradient(gain)) return gain.leaf();
  if (!differs_by_row(gain, steering)) {
    return gain.value(steering.uniform_coefficients());
  }
  if (!gain.steered()) {
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
  if (collects_gradient(table)) return at::embedding(table.leaf(), ids);
  if (!differs_by_row(table, steering)) {
    return table.rows(ids, steering.uniform_coefficients());
  }
  if (table.steered() && !table.device().is_cpu())
    return embedding_there(table, ids, steering);
  const at::Tensor& reference = table.reference();
  at::Tensor rows =
      at::empty({ids.size(0), reference.size(1)}, reference.options());
  for (const RowGroup& group : groups_of(table, steering)) {
    const at::Tensor wanted = ids.index_select(0, group.rows);
    if (!table.steered()) {
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
