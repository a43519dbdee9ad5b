// Settings of preference optimisation; what each does is in preferences.h.
#pragma once

#include "moft/core/field_attributes.h"

namespace moft {

// How likely the first answer of a pair is preferred, by its scores.
enum class PreferenceTarget { kBradleyTerry, kBetter, kVotes };
constexpr auto enum_names(PreferenceTarget) {
  return EnumNames<PreferenceTarget, 3>{{
      {PreferenceTarget::kBradleyTerry, "bradley_terry"},
      {PreferenceTarget::kBetter, "better"},
      {PreferenceTarget::kVotes, "votes"},
  }};
}

enum class PreferenceLoss { kSigmoid, kRobust };
constexpr auto enum_names(PreferenceLoss) {
  return EnumNames<PreferenceLoss, 2>{{
      {PreferenceLoss::kSigmoid, "sigmoid"},
      {PreferenceLoss::kRobust, "robust"},
  }};
}

enum class PreferenceTies { kHalf, kSkip };
constexpr auto enum_names(PreferenceTies) {
  return EnumNames<PreferenceTies, 2>{{
      {PreferenceTies::kHalf, "half"},
      {PreferenceTies::kSkip, "skip"},
  }};
}

struct PreferenceLossOptions {
  PreferenceTarget target = PreferenceTarget::kBradleyTerry;
  PreferenceLoss loss_type = PreferenceLoss::kSigmoid;
  double label_smoothing = 0.0;
  PreferenceTies ties = PreferenceTies::kHalf;

  template <class V>
  void fields(V& v) {
    v("target",
      target,
      Help{"how likely the first answer of a pair wins under a weighting w; "
           "bradley_terry: sigmoid(w.R1 - w.R2) of the mapped scores R, for "
           "which alpha is the KL strength of `moft train`; better: 1 for the "
           "greater w.R, as in TRL; votes: the sum of w_i over the objectives "
           "that prefer it, for labels"});
    v("loss_type",
      loss_type,
      Help{"sigmoid: DPO; robust: DPO corrected for labels that are flipped "
           "with probability label_smoothing (TRL's option of this name)"});
    v("label_smoothing",
      label_smoothing,
      Help{"probability that a label is wrong; with sigmoid it moves the "
           "targets towards 1/2 (conservative DPO)"},
      from_up_to_below(0, 0.5));
    v("ties",
      ties,
      Help{"pairs whose target is 1/2; half: both answers count as preferred "
           "half the time, skip: they have no part in the update"});
  }
};

}  // namespace moft
