// How each variant of an ENUM-1 policy is trained, and the steerings that its
// regret is averaged over.
//
// Thread safety: pure functions.
#pragma once

#include <vector>

#include "tests/trained/enum_training.h"
#include "verify/enum_policy.h"

namespace moft::exact {

// How the variant is trained for enum_recipe's results.
struct EnumRecipe {
  TrainingOptions training;
  SteeringDraws draws;
};
// `drawn_alpha`: w and alpha drawn together, alpha so that f_mix(alpha) is
// uniform.
EnumRecipe enum_recipe(EnumVariant variant, bool drawn_alpha);

// The 15 weightings and the KL strengths that regret is averaged over: alpha
// .1 alone, or those with a mixing amount of 0, .25, .5, .75 and .95.
std::vector<Weighting> enum_weightings();
std::vector<double> enum_alphas(const KlRange& range, bool drawn_alpha);

}  // namespace moft::exact
