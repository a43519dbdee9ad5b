// The variants of a policy that ENUM-1 is run with: steered sets, prompts, and
// how each is trained.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "moft/exact/enum_training.h"

namespace moft::exact {

enum class EnumVariant {
  kFull,
  kAttention,
  kLogits,
  kPattern,  // feed-forward outputs and norms
  kLora,
  kPrompt,           // no steered set
  kAttentionPrompt,  // both
};
std::vector<EnumVariant> all_enum_variants();
std::string variant_name(EnumVariant variant);

// Its reference reads another prompt than the policy.
bool reads_weights(EnumVariant variant);
// A policy with alpha (and alpha_min) .1 of the variant.
EnumPolicyOptions enum_policy_options(
    ModelFamily family, EnumVariant variant, std::uint64_t seed = 1);

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
