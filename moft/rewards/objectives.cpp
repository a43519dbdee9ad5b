#include "moft/rewards/objectives.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/gated.h"
#include "moft/rewards/length.h"
#include "moft/rewards/regex_reward.h"
#include "moft/rewards/rouge.h"
#include "moft/rewards/similarity.h"

namespace moft {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void check_objective(const Objective& objective) {
  const std::string& name = objective.name;
  if (name.empty() || name.size() > 64 ||
      !std::all_of(name.begin(), name.end(), is_name_character)) {
    throw_caller_error(
        "objectives: {} is no name; names are 1 to 64 letters, digits, '_' "
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

namespace {

// Makes each objective's reward once; gates refer to the same object, which
// is what lets the memo share their values.
class Factory {
 public:
  Factory(
      const Objectives& options,
      const std::filesystem::path& base,
      at::Device device)
      : options_(options), base_(base), device_(device) {}

  std::shared_ptr<const Reward> get(const std::string& name) {
    auto& reward = rewards_[name];
    if (!reward) reward = make(name, options_.at(name));
    return reward;
  }

 private:
  std::shared_ptr<const Reward> make(
      const std::string& name, const ObjectiveOptions& options) {
    if (options.similarity) return similarity(name, *options.similarity);
    if (options.regex)
      return std::make_shared<RegexReward>(name, *options.regex);
    if (options.rouge)
      return std::make_shared<RougeReward>(name, *options.rouge);
    auto length = std::make_shared<LengthReward>(name, *options.length);
    if (!options.length->gate) return length;
    const GateOptions& gate = *options.length->gate;
    return std::make_shared<GatedReward>(length, get(gate.objective), gate);
  }

  // Two objectives that compare with the same field share one reward.
  std::shared_ptr<const Reward> similarity(
      const std::string& name, const SimilarityOptions& options) {
    const auto path = (base_ / options.model).lexically_normal();
    auto& reward = similarities_[{path.string(), options.field}];
    if (!reward) {
      reward = std::make_shared<SimilarityReward>(
          name,
          embedder(name, path),
          SimilarityTarget{.field = options.field, .literal = {}});
    }
    return reward;
  }

  std::shared_ptr<const TextEmbedder> embedder(
      const std::string& name, const std::filesystem::path& path) {
    auto& found = embedders_[path.string()];
    try {
      if (!found) found = std::make_shared<TextEmbedder>(path, device_);
    } catch (const CallerError& error) {
      throw_caller_error("objective '{}': {}", name, error.what());
    }
    return found;
  }

  const Objectives& options_;
  std::filesystem::path base_;
  at::Device device_;
  std::map<std::string, std::shared_ptr<const Reward>> rewards_;
  std::map<std::string, std::shared_ptr<const TextEmbedder>> embedders_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Reward>>
      similarities_;
};

}  // namespace

ObjectiveSet make_objectives(
    const Objectives& options,
    const std::filesystem::path& base,
    at::Device device) {
  check_objectives(options, "objectives");
  Factory factory(options, base, device);
  std::vector<Objective> objectives;
  for (const auto& [name, objective] : options) {
    objective.check("objectives." + name + ".");
    objectives.push_back(
        {name, factory.get(name), objective.range[0], objective.range[1]});
  }
  return ObjectiveSet(std::move(objectives));
}

}  // namespace moft
