// The variants of an ENUM-1 policy.
#include "verify/enum_variants.h"

namespace moft::exact {
namespace {

SteeredSet steered_set(EnumVariant variant) {
  switch (variant) {
    case EnumVariant::kFull:
      return SteeredSet::kFull;
    case EnumVariant::kAttention:
    case EnumVariant::kAttentionPrompt:
      return SteeredSet::kAttention;
    case EnumVariant::kLogits:
      return SteeredSet::kLogits;
    case EnumVariant::kPattern:
      return SteeredSet::kPattern;
    case EnumVariant::kLora:
      return SteeredSet::kLora;
    case EnumVariant::kPrompt:
      break;
  }
  return SteeredSet::kNone;
}

}  // namespace

std::vector<EnumVariant> all_enum_variants() {
  using enum EnumVariant;
  return {
      kFull, kAttention, kLogits, kPattern, kLora, kPrompt, kAttentionPrompt};
}

std::string variant_name(EnumVariant variant) {
  if (variant == EnumVariant::kPrompt) return "prompt";
  const std::string name = enum_name(steered_set(variant));
  return reads_weights(variant) ? name + " and prompt" : name;
}

bool reads_weights(EnumVariant variant) {
  return variant == EnumVariant::kPrompt ||
         variant == EnumVariant::kAttentionPrompt;
}

EnumPolicyOptions enum_policy_options(
    ModelFamily family, EnumVariant variant, std::uint64_t seed) {
  EnumPolicyOptions options;
  options.family = family;
  options.seed = seed;
  options.conditioning.steered_set = steered_set(variant);
  options.conditioning.pattern = family == ModelFamily::kT5
                                     ? R"(DenseReluDense\.wo|norm)"
                                     : R"(mlp\.down_proj|norm)";
  options.conditioning.lora.rank = 4;
  if (reads_weights(variant)) {
    options.conditioning.prompt.emplace();
    options.conditioning.prompt->repetitions = 1;
  }
  return options;
}

}  // namespace moft::exact
