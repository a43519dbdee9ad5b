#include "moft/rewards/length.h"

#include <algorithm>

#include "moft/core/text.h"

namespace moft {

double length_reward(double length, double full_at, double zero_at) {
  return std::clamp((length - zero_at) / (full_at - zero_at), 0.0, 1.0);
}

LengthReward::LengthReward(std::string name, const LengthOptions& options)
    : Reward(std::move(name)),
      unit_(options.unit),
      full_at_(options.full_at),
      zero_at_(options.zero_at) {
  options.check(this->name() + ".length.");
}

std::vector<double> LengthReward::compute(
    const RewardBatch& batch, RewardMemo&) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const std::string& completion = batch.completions[row];
    const std::int64_t length = unit_ == LengthUnit::kWords
                                    ? count_words(completion)
                                    : batch.token_counts[row];
    values.push_back(
        is_empty_answer(completion)
            ? 0.0
            : length_reward(static_cast<double>(length), full_at_, zero_at_));
  }
  return values;
}

}  // namespace moft
