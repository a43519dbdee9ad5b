// The reward kind `length`.
#include "moft/rewards/length.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/reward_context.h"

namespace moft {

void LengthOptions::check(const std::string& path) const {
  if (full_at != zero_at) return;
  throw_caller_error(
      "{}full_at and zero_at are both {}; give two lengths, the one that gets "
      "1 and the one that gets 0",
      path,
      shortest_number(full_at));
}

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

RewardKind length_kind() {
  return RewardKindOf<LengthOptions>{
      .name = "length",
      .help =
          "piecewise linear in the completion's length; empty answers get 0",
      .make =
          [](const LengthOptions& options, RewardContext& context) {
            return std::make_shared<LengthReward>(context.objective(), options);
          },
  };
}

}  // namespace moft
