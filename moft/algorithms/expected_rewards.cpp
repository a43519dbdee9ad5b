// Linearised scalarisations of a group's mean rewards.
#include "moft/algorithms/expected_rewards.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "moft/algorithms/rewards.h"
#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

using Rows = std::vector<std::size_t>;
using Vector = std::vector<double>;

// Numbers [B, columns] on the host, row by row.
struct Table {
  explicit Table(const at::Tensor& values)
      : held(values.detach().to(at::kCPU, at::kDouble).contiguous()),
        columns(static_cast<std::size_t>(held.size(1))) {}

  std::span<const double> row(std::size_t index) const {
    return {held.const_data_ptr<double>() + index * columns, columns};
  }
  Vector column(std::size_t index) const {
    return row_values(
        held.select(1, static_cast<std::int64_t>(index)), "rewards");
  }

  at::Tensor held;
  std::size_t columns;
};

std::vector<Vector> columns_of(const Table& table) {
  std::vector<Vector> columns;
  for (std::size_t i = 0; i < table.columns; ++i)
    columns.push_back(table.column(i));
  return columns;
}

// The mean over the rows other than `left_out`; where a column ties, the left
// out row's own number, so that nothing is left of their difference.
Vector mean_of_others(
    const Table& table,
    const Rows& rows,
    std::size_t left_out,
    const std::vector<bool>& tied) {
  const std::span<const double> own = table.row(left_out);
  Vector mean(table.columns, 0.0);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    for (const std::size_t row : rows)
      if (row != left_out) mean[i] += table.row(row)[i];
    mean[i] = tied[i] ? own[i] : mean[i] / static_cast<double>(rows.size() - 1);
  }
  return mean;
}

std::vector<bool> tied_columns(
    const std::vector<Vector>& columns, const Rows& rows) {
  std::vector<bool> tied;
  for (const Vector& column : columns)
    tied.push_back(rewards_tie(column, rows));
  return tied;
}

}  // namespace

LinearisedRewards linearised_rewards(
    const at::Tensor& rewards,
    const at::Tensor& weights,
    const at::Tensor& groups,
    const Scalarisation& f) {
  check_weights(rewards, weights);
  const Table r(rewards);
  const Table w(weights.expand_as(rewards));
  const std::vector<Vector> columns = columns_of(r);
  const auto count = static_cast<std::size_t>(rewards.size(0));
  Vector value(count);
  Vector baseline(count);
  for (const auto& [label, rows] : rows_by_group(groups, count)) {
    if (rows.size() < 2) {
      throw_caller_error(
          "group {} has one sample, so its expected rewards are not known "
          "without it; draw at least 2 samples per prompt",
          label);
    }
    const std::vector<bool> tied = tied_columns(columns, rows);
    for (const std::size_t row : rows) {
      const Vector mean = mean_of_others(r, rows, row, tied);
      const Vector slope = f.gradient(mean, w.row(row));
      baseline[row] = f.value(mean, w.row(row));
      value[row] = baseline[row];
      for (std::size_t i = 0; i < mean.size(); ++i)
        value[row] += slope[i] * (r.row(row)[i] - mean[i]);
    }
  }
  return {row_tensor(value, rewards), row_tensor(baseline, rewards)};
}

at::Tensor tie_labels(const at::Tensor& columns, const at::Tensor& groups) {
  const std::vector<Vector> values = columns_of(Table(columns));
  const auto count = static_cast<std::size_t>(columns.size(0));
  Vector labels(count, 0.0);
  for (const auto& [label, rows] : rows_by_group(groups, count)) {
    const std::vector<bool> tied = tied_columns(values, rows);
    if (std::all_of(tied.begin(), tied.end(), [](bool t) { return t; }))
      continue;
    for (std::size_t k = 0; k < rows.size(); ++k)
      labels[rows[k]] = static_cast<double>(k);
  }
  return row_tensor(labels, columns);
}

}  // namespace moft
