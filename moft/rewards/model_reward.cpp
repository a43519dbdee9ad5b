// Chunks of a batch, one after the other.
#include "moft/rewards/model_reward.h"

#include <algorithm>

namespace moft {
namespace {

template <typename Value>
std::vector<Value> cut(
    const std::vector<Value>& all, std::size_t begin, std::size_t end) {
  if (all.empty()) return {};
  return {
      all.begin() + static_cast<std::ptrdiff_t>(begin),
      all.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace

RewardBatch rows_of(
    const RewardBatch& batch, std::size_t begin, std::size_t end) {
  RewardBatch rows;
  rows.prompts = cut(batch.prompts, begin, end);
  rows.completions = cut(batch.completions, begin, end);
  rows.token_counts = cut(batch.token_counts, begin, end);
  rows.examples = cut(batch.examples, begin, end);
  rows.completion_ids = cut(batch.completion_ids, begin, end);
  rows.raw_completions = cut(batch.raw_completions, begin, end);
  rows.turns = cut(batch.turns, begin, end);
  rows.groups = cut(batch.groups, begin, end);
  rows.step = batch.step;
  rows.max_steps = batch.max_steps;
  return rows;
}

std::vector<double> ModelReward::compute(
    const RewardBatch& batch, RewardMemo&) const {
  std::vector<double> values;
  for (std::size_t begin = 0; begin < batch.rows(); begin += kRowsPerChunk) {
    const std::size_t end = std::min(begin + kRowsPerChunk, batch.rows());
    try {
      const auto some = compute_chunk(rows_of(batch, begin, end));
      values.insert(values.end(), some.begin(), some.end());
    } catch (const RewardRowError& error) {
      throw RewardRowError(begin + error.row(), error.what());
    }
  }
  return values;
}

}  // namespace moft
