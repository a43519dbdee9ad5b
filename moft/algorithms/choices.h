// Choices of the algorithms that recipes name; free of libtorch, for the
// options. What each does is in the header named beside it.
#pragma once

#include "moft/core/field_attributes.h"

namespace moft {

// advantages.h
enum class AdvantageNormalisation {
  kNone,
  kBatch,  // mean and deviation of all rows
  kGroup,  // of the rows with the same group label
};
constexpr auto enum_names(AdvantageNormalisation) {
  return EnumNames<AdvantageNormalisation, 3>{{
      {AdvantageNormalisation::kNone, "none"},
      {AdvantageNormalisation::kBatch, "batch"},
      {AdvantageNormalisation::kGroup, "group"},
  }};
}

// token_weights.h; TRL's names.
enum class LossType { kGrpo, kDrGrpo, kDapo, kBnpo };
constexpr auto enum_names(LossType) {
  return EnumNames<LossType, 4>{{
      {LossType::kGrpo, "grpo"},
      {LossType::kDrGrpo, "dr_grpo"},
      {LossType::kDapo, "dapo"},
      {LossType::kBnpo, "bnpo"},
  }};
}

// policy_loss.h: ratios are clipped to [1 - low, 1 + high].
struct RatioClip {
  double low = 0.2;
  double high = 0.2;
};

// aggregation.h; TRL's names.
enum class RewardAggregation {
  kSumThenNormalize,
  kNormalizeThenSum,
};
constexpr auto enum_names(RewardAggregation) {
  return EnumNames<RewardAggregation, 2>{{
      {RewardAggregation::kSumThenNormalize, "sum_then_normalize"},
      {RewardAggregation::kNormalizeThenSum, "normalize_then_sum"},
  }};
}
enum class RewardStandardisation {
  kNone,
  kRunning,  // by the moments of all steps before this one
};
constexpr auto enum_names(RewardStandardisation) {
  return EnumNames<RewardStandardisation, 2>{{
      {RewardStandardisation::kNone, "none"},
      {RewardStandardisation::kRunning, "running"},
  }};
}

// schedule.h
enum class ScheduleShape { kConstant, kLinear, kCosine };
constexpr auto enum_names(ScheduleShape) {
  return EnumNames<ScheduleShape, 3>{{
      {ScheduleShape::kConstant, "constant"},
      {ScheduleShape::kLinear, "linear"},
      {ScheduleShape::kCosine, "cosine"},
  }};
}

// values.h: the baseline made of a value network's values.
enum class ValueScale {
  kReward,   // (1 - alpha) w.V
  kLiteral,  // w.V
};
constexpr auto enum_names(ValueScale) {
  return EnumNames<ValueScale, 2>{{
      {ValueScale::kReward, "reward"},
      {ValueScale::kLiteral, "literal"},
  }};
}

}  // namespace moft
