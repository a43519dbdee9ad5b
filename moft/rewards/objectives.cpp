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
  const std::vector<double> empty_row(size());
  Scores scores{
      {batch.rows(), empty_row},
      {batch.rows(), empty_row},
  };
  RewardMemo memo;
  for (std::size_t i = 0; i < size(); ++i) {
    const Objective& objective = objectives_[i];
    const auto& values = objective.reward->score(batch, memo);
    const double extent = objective.high - objective.low;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      scores.raw[row][i] = values[row];
      scores.mapped[row][i] = (values[row] - objective.low) / extent;
    }
  }
  return scores;
}

}  // namespace moft
