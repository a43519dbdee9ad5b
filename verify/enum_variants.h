// The variants of a policy that ENUM-1 is run with: steered sets and prompts.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "verify/enum_policy.h"

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

}  // namespace moft::exact
