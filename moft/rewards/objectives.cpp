// The objectives of a run and their scores.
#include "moft/rewards/objectives.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/outside/source_calls.h"
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
    const RewardSource* source = objective.reward->source();
    if (source &&
        std::find(sources_.begin(), sources_.end(), source) == sources_.end()) {
      sources_.push_back(source);
    }
  }
}

std::vector<const Reward*> ObjectiveSet::computed_rewards() const {
  std::vector<const Reward*> found;
  const auto add = [&](const auto& self, const Reward* reward) -> void {
    const auto asked = reward->asks();
    for (const Reward* other : asked)
      self(self, other);
    const bool here = asked.empty() && reward->source() == nullptr;
    if (here && std::find(found.begin(), found.end(), reward) == found.end())
      found.push_back(reward);
  };
  for (const Objective& objective : objectives_)
    add(add, objective.reward.get());
  return found;
}

void ObjectiveSet::row_arrived(
    const RewardBatch& batch, std::size_t row, RewardMemo& memo) const {
  for (const RewardSource* source : sources_)
    calls_to(*source, batch, memo).row_arrived(batch, row);
}

void ObjectiveSet::start_sources() const {
  for (const RewardSource* source : sources_)
    source->start();
}

void ObjectiveSet::check_sources() const {
  for (const RewardSource* source : sources_)
    source->check();
}

Scores ObjectiveSet::score(const RewardBatch& batch) const {
  RewardMemo memo;
  return score(batch, memo);
}

Scores ObjectiveSet::score(const RewardBatch& batch, RewardMemo& memo) const {
  const std::size_t rows = batch.rows();
  const at::Tensor raw = at::empty(
      {static_cast<std::int64_t>(rows), std::ssize(names_)}, at::kDouble);
  const at::Tensor mapped = at::empty_like(raw);
  auto raw_at = raw.accessor<double, 2>();
  auto mapped_at = mapped.accessor<double, 2>();
  Scores scores{raw, mapped};
  scores.seconds.resize(size());
  std::vector<bool> skipped(rows, false);
  // Everything is sent out before anything here is computed or waited for.
  for (const RewardSource* source : sources_)
    calls_to(*source, batch, memo).send_rest(batch);
  for (const bool outside : {false, true}) {
    for (std::size_t i = 0; i < size(); ++i) {
      const Objective& objective = objectives_[i];
      if ((objective.reward->source() != nullptr) != outside) continue;
      const auto start = std::chrono::steady_clock::now();
      const auto& values = objective.reward->score(batch, memo);
      const double extent = objective.high - objective.low;
      const auto column = static_cast<std::int64_t>(i);
      for (std::size_t row = 0; row < rows; ++row) {
        const auto at = static_cast<std::int64_t>(row);
        raw_at[at][column] = values[row];
        mapped_at[at][column] = (values[row] - objective.low) / extent;
        if (std::isnan(values[row])) skipped[row] = true;
      }
      scores.seconds[i] = std::chrono::duration<double>(
                              std::chrono::steady_clock::now() - start)
                              .count();
    }
  }
  for (std::size_t row = 0; row < rows; ++row)
    if (skipped[row]) scores.skipped.push_back(row);
  for (const RewardSource* source : sources_)
    memo.calls.at(source)->report(scores.metrics, scores.texts);
  return scores;
}

std::vector<double> column_of(const at::Tensor& scores, std::size_t objective) {
  const at::Tensor column =
      scores.select(1, static_cast<std::int64_t>(objective)).contiguous();
  const double* data = column.const_data_ptr<double>();
  return {data, data + column.numel()};
}

}  // namespace moft
