// The reward kind `regex`.
#include "moft/rewards/regex_reward.h"

#include "moft/core/errors.h"
#include "moft/rewards/reward_context.h"

namespace moft {

RegexReward::RegexReward(std::string name, const RegexOptions& options)
    : Reward(std::move(name)),
      pattern_(
          options.pattern,
          this->name() + ".regex.pattern",
          {.ignore_case = options.ignore_case}),
      invert_(options.invert) {}

bool RegexReward::is_found(const std::string& text, std::size_t row) const {
  try {
    return pattern_.found_in(text);
  } catch (const CallerError& error) {
    throw RewardRowError(
        row,
        std::string("matching failed: ") + error.what() +
            " (nested repeats such as (a+)+ take exponential time)");
  }
}

std::vector<double> RegexReward::compute(
    const RewardBatch& batch, RewardMemo&) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    values.push_back(is_found(batch.completions[row], row) != invert_ ? 1 : 0);
  }
  return values;
}

RewardKind regex_kind() {
  return RewardKindOf<RegexOptions>{
      .name = "regex",
      .help = "whether a regular expression is found",
      .make =
          [](const RegexOptions& options, RewardContext& context) {
            return std::make_shared<RegexReward>(context.objective(), options);
          },
  };
}

}  // namespace moft
