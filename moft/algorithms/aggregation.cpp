// Several rewards on one scale.
#include "moft/algorithms/aggregation.h"

#include <algorithm>
#include <cmath>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"

namespace moft {
namespace {

using Rows = std::vector<std::size_t>;

// (values - mean) / (sample deviation + 1e-4) of these rows; 0 where they tie,
// as one row does.
void normalise_rows(
    const std::vector<double>& values,
    const Rows& rows,
    std::vector<double>& normalised) {
  if (rewards_tie(values, rows)) {
    for (const std::size_t row : rows)
      normalised[row] = 0.0;
    return;
  }
  const auto count = static_cast<double>(rows.size());
  double mean = 0.0;
  for (const std::size_t row : rows)
    mean += values[row] / count;
  double squares = 0.0;
  for (const std::size_t row : rows)
    squares += (values[row] - mean) * (values[row] - mean);
  const double divisor =
      std::sqrt(squares / (count - 1.0)) + kAggregationEpsilon;
  for (const std::size_t row : rows)
    normalised[row] = (values[row] - mean) / divisor;
}

void check_table(const at::Tensor& rewards) {
  if (rewards.defined() && rewards.dim() == 2 && rewards.numel() > 0) return;
  throw_caller_error("rewards are not one vector per row; give shape [B, m]");
}

}  // namespace

at::Tensor normalise_in_groups(
    const at::Tensor& rewards, const at::Tensor& groups) {
  check_table(rewards);
  const auto by_group =
      rows_by_group(groups, static_cast<std::size_t>(rewards.size(0)));
  std::vector<at::Tensor> columns;
  for (std::int64_t i = 0; i < rewards.size(1); ++i) {
    const std::vector<double> values =
        row_values(rewards.select(1, i), "rewards");
    std::vector<double> normalised(values.size());
    for (const auto& [label, rows] : by_group)
      normalise_rows(values, rows, normalised);
    columns.push_back(row_tensor(normalised, rewards));
  }
  return at::stack(columns, 1);
}

// ---- running moments -------------------------------------------------------

void RunningMoments::check_width(const at::Tensor& rewards) const {
  if (static_cast<std::size_t>(rewards.size(1)) == mean_.size()) return;
  throw_caller_error(
      "{} rewards per row meet the moments of {}; give one per objective",
      rewards.size(1),
      mean_.size());
}

void RunningMoments::add(const at::Tensor& rewards) {
  check_table(rewards);
  const auto m = static_cast<std::size_t>(rewards.size(1));
  if (count_ == 0) {
    mean_.assign(m, 0.0);
    squares_.assign(m, 0.0);
  }
  check_width(rewards);
  const auto before = static_cast<double>(count_);
  const auto added = static_cast<double>(rewards.size(0));
  for (std::size_t i = 0; i < m; ++i) {
    const std::vector<double> values =
        row_values(rewards.select(1, static_cast<std::int64_t>(i)), "rewards");
    double mean = 0.0;
    for (const double value : values)
      mean += value / added;
    double squares = 0.0;
    for (const double value : values)
      squares += (value - mean) * (value - mean);
    const double shift = mean - mean_[i];
    mean_[i] += shift * added / (before + added);
    squares_[i] += squares + shift * shift * before * added / (before + added);
  }
  count_ += rewards.size(0);
}

std::vector<double> RunningMoments::deviation() const {
  std::vector<double> deviation;
  for (const double squares : squares_)
    deviation.push_back(std::max(
        std::sqrt(squares / static_cast<double>(count_)), kLeastDivisor));
  return deviation;
}

at::Tensor RunningMoments::standardised(const at::Tensor& rewards) const {
  check_table(rewards);
  const at::Tensor values = rewards.detach().to(at::kDouble);
  if (count_ == 0) return values;
  check_width(rewards);
  return (values - kernels::double_tensor(mean_, values.device())) /
         kernels::double_tensor(deviation(), values.device());
}

std::map<std::string, at::Tensor> RunningMoments::state() const {
  if (count_ == 0) return {};
  const auto bits = [](const std::vector<double>& values) {
    return kernels::double_tensor(values, at::kCPU).view(at::kLong);
  };
  return {
      {"count", at::full({1}, count_, at::kLong)},
      {"mean", bits(mean_)},
      {"squares", bits(squares_)}};
}

void RunningMoments::restore(const std::map<std::string, at::Tensor>& state) {
  if (state.empty()) {
    *this = {};
    return;
  }
  const auto read = [&](const char* name) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.dim() != 1 ||
        found->second.scalar_type() != at::kLong) {
      throw_caller_error(
          "the state of the rewards has no int64 vector '{}'; resume with the "
          "recipe that wrote it",
          name);
    }
    return found->second.contiguous();
  };
  const at::Tensor count = read("count");
  const at::Tensor mean = read("mean");
  const at::Tensor squares = read("squares");
  if (count.numel() != 1 || mean.numel() != squares.numel() ||
      count.item<std::int64_t>() < 1) {
    throw_caller_error(
        "the state of the rewards does not fit together; resume with the "
        "recipe that wrote it");
  }
  count_ = count.item<std::int64_t>();
  mean_ = kernels::to_doubles(mean.view(at::kDouble));
  squares_ = kernels::to_doubles(squares.view(at::kDouble));
}

}  // namespace moft
