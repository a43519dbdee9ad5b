// Baselines made of the batch itself.
#include "moft/algorithms/baselines.h"

#include <numeric>

#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"

namespace moft {

at::Tensor batch_mean_baseline(const at::Tensor& rewards) {
  const std::vector<double> values = row_values(rewards, "rewards");
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  const double mean = sum / static_cast<double>(values.size());
  return row_tensor(std::vector<double>(values.size(), mean), rewards);
}

at::Tensor group_mean_baseline(
    const at::Tensor& rewards, const at::Tensor& groups) {
  const std::vector<double> values = row_values(rewards, "rewards");
  std::vector<double> baseline(values.size());
  for (const auto& [label, rows] : rows_by_group(groups, values.size())) {
    double sum = 0.0;
    for (const std::size_t row : rows)
      sum += values[row];
    for (const std::size_t row : rows)
      baseline[row] = sum / static_cast<double>(rows.size());
  }
  return row_tensor(baseline, rewards);
}

at::Tensor leave_one_out_baseline(
    const at::Tensor& rewards, const at::Tensor& groups) {
  const std::vector<double> values = row_values(rewards, "rewards");
  std::vector<double> baseline(values.size());
  for (const auto& [label, rows] : rows_by_group(groups, values.size())) {
    if (rows.size() < 2) {
      throw_caller_error(
          "group {} has one sample, so there is no other to compare it with; "
          "draw at least 2 samples per prompt",
          label);
    }
    double sum = 0.0;
    for (const std::size_t row : rows)
      sum += values[row];
    for (const std::size_t row : rows) {
      baseline[row] =
          (sum - values[row]) / static_cast<double>(rows.size() - 1);
    }
  }
  return row_tensor(baseline, rewards);
}

}  // namespace moft
