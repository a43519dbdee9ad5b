// Which weightings and KL strengths a step is trained under, as sections of
// recipes have them (steering_sampler.h draws them). They derive from
// SteeringOptions and declare its fields in their own words.
#pragma once

#include "moft/core/fields.h"
#include "moft/weightings/weighting_options.h"

namespace moft {

enum class WeightingPer { kBatch, kPrompt };
constexpr auto enum_names(WeightingPer) {
  return EnumNames<WeightingPer, 2>{{
      {WeightingPer::kBatch, "batch"},
      {WeightingPer::kPrompt, "prompt"},
  }};
}

struct SteeringOptions {
  WeightingPer weighting_per = WeightingPer::kPrompt;
  double kl_strength = 0.01;
  AlphaDistribution kl_sampler = AlphaDistribution::kFixed;

  // All three. `of_weightings`, `of_strength`: help of the first two.
  template <class V>
  void steering_fields(V& v, Help of_weightings, Help of_strength) {
    v("weighting_per", weighting_per, of_weightings);
    v("kl_strength", kl_strength, of_strength, from_up_to_below(0, 1));
    v("kl_sampler",
      kl_sampler,
      Help{"how alpha is drawn, independently of the weighting; fixed: always "
           "kl_strength, inverse: so that the softmdp mixing amount is uniform "
           "on [0, 1], uniform: on [conditioning.alpha_min, 1]"});
  }
};

}  // namespace moft
