// The objectives of a run and their scores.
#include "moft/rewards/objectives.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/reward_options.h"

namespace moft {
namespace {

void check_objective(const Objective& objective) {
  const std::string& name = objective.name;
  if (!is_objective_name(name)) {
    throw_caller_error(
        "objectives: {} is not a valid name; names are 1 to 64 letters, "
        "digits, '_' "
        "and '-'",
        quote_text(name));
  }
  if (!objective.reward) {
    throw_caller_error("objectives: {} has no reward", name);
  }
  if (!std::isfinite(objective.low) || !std::isfinite(objective.high) ||
      !std::isfinite(objective.high - objective.low) ||
      !(objective.low < objective.high)) {
    throw_caller_error(
        "objectives: the range of {} is [{}, {}]; give finite [low, high] with "
        "low below high",
        name,
        shortest_number(objective.low),
        shortest_number(objective.high));
  }
}

}  // namespace

ObjectiveSet::ObjectiveSet(std::vector<Objective> objectives)
    : objectives_(std::move(objectives)) {
  if (objectives_.empty()) {
    throw_caller_error("objectives: there are none; give at least one");
  }
  for (const Objective& objective : objectives_) {
    check_objective(objective);
    if (std::find(names_.begin(), names_.end(), objective.name) !=
        names_.end()) {
      throw_caller_error(
          "objectives: the name {} appears twice; names must differ",
          objective.name);
    }
    names_.push_back(objective.name);
  }
}

Scores ObjectiveSet::score(const RewardBatch& batch) const {
  const auto rows = static_cast<std::int64_t>(batch.rows());
  const at::Tensor raw = at::empty({rows, std::ssize(names_)}, at::kDouble);
  const at::Tensor mapped = at::empty_like(raw);
  auto raw_at = raw.accessor<double, 2>();
  auto mapped_at = mapped.accessor<double, 2>();
  RewardMemo memo;
  for (std::size_t i = 0; i < size(); ++i) {
    const Objective& objective = objectives_[i];
    const auto& values = objective.reward->score(batch, memo);
    const double extent = objective.high - objective.low;
    const auto column = static_cast<std::int64_t>(i);
    for (std::int64_t row = 0; row < rows; ++row) {
      const double value = values[static_cast<std::size_t>(row)];
      raw_at[row][column] = value;
      mapped_at[row][column] = (value - objective.low) / extent;
    }
  }
  return {raw, mapped};
}

std::vector<double> column_of(const at::Tensor& scores, std::size_t objective) {
  const at::Tensor column =
      scores.select(1, static_cast<std::int64_t>(objective)).contiguous();
  const double* data = column.const_data_ptr<double>();
  return {data, data + column.numel()};
}

}  // namespace moft
