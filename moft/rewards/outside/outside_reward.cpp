// Values of a source's output as rewards.
#include "moft/rewards/outside/outside_reward.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/rewards/outside/source_calls.h"

namespace moft {

std::vector<double> OutsideReward::compute(
    const RewardBatch& batch, RewardMemo& memo) const {
  const auto& values =
      calls_to(*source_, batch, memo).wait(batch, output_, memo.stop_requested);
  std::vector<double> rewards;
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (values[row] && !std::isfinite(*values[row]))
      throw RewardRowError(row, fmt::format("is {}", *values[row]));
    if (!values[row] && !may_be_missing()) {
      throw RewardRowError(
          row,
          "gave no number (None or null); `missing: skip` leaves such "
          "completions out of the update");
    }
    rewards.push_back(
        values[row].value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return rewards;
}

}  // namespace moft
