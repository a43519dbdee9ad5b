// The reward kind `length`: for short (or long) answers.
#pragma once

#include <optional>

#include "moft/core/fields.h"
#include "moft/rewards/gate_options.h"
#include "moft/rewards/reward.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

enum class LengthUnit { kWords, kTokens };
constexpr auto enum_names(LengthUnit) {
  return EnumNames<LengthUnit, 2>{{
      {LengthUnit::kWords, "words"},
      {LengthUnit::kTokens, "tokens"},
  }};
}

// Piecewise linear in the length: 1 at full_at and beyond, 0 at zero_at and
// beyond. full_at below zero_at rewards short answers, above it long ones. An
// empty answer gets 0 either way.
struct LengthOptions {
  LengthUnit unit = LengthUnit::kWords;
  double full_at = 0.0;
  double zero_at = 0.0;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("unit", unit, Help{"what is counted"});
    v("full_at",
      full_at,
      Help{
          "length at which the reward reaches 1; it stays 1 beyond",
          "words or tokens"},
      at_least(0));
    v("zero_at",
      zero_at,
      Help{
          "length at which the reward reaches 0; it stays 0 beyond; different "
          "from full_at",
          "words or tokens"},
      at_least(0));
    v("gate", gate, Help{"multiplies the reward; absent: no gate"});
  }
  // Throws CallerError where both ends are the same length.
  void check(const std::string& path) const;
};

// (length - zero_at) / (full_at - zero_at), cut off to [0, 1]: falling when
// full_at < zero_at, rising otherwise. REQUIRES full_at != zero_at.
double length_reward(double length, double full_at, double zero_at);

// The length in words (core/words.h) or tokens; an empty answer gets 0. The
// gate of the options is not applied here: see gated.h.
class LengthReward : public Reward {
 public:
  // Throws CallerError as options.check().
  LengthReward(std::string name, const LengthOptions& options);

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  LengthUnit unit_;
  double full_at_;
  double zero_at_;
};

RewardKind length_kind();

}  // namespace moft
