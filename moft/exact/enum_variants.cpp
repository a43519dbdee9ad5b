#include "moft/exact/enum_variants.h"

#include "moft/weightings/grid.h"

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

EnumRecipe enum_recipe(EnumVariant variant, bool drawn_alpha) {
  EnumRecipe recipe;
  recipe.draws.kl_sampler =
      drawn_alpha ? AlphaDistribution::kInverse : AlphaDistribution::kFixed;
  TrainingOptions& training = recipe.training;
  training.prompts_per_step = 4;
  training.samples_per_prompt = 16;
  training.optimizer.learning_rate = 5e-3;
  training.schedule.kind = ScheduleShape::kLinear;
  training.schedule.final_fraction = 0.05;
  // Where one pass serves several weightings, each prompt has its own.
  const bool mixes_rows =
      variant == EnumVariant::kLora || variant == EnumVariant::kPrompt;
  training.weighting_per =
      mixes_rows ? WeightingPer::kPrompt : WeightingPer::kBatch;
  training.steps = drawn_alpha ? 3000 : 1500;
  return recipe;
}

std::vector<Weighting> enum_weightings() {
  return simplex_lattice(3, 4);
}

std::vector<double> enum_alphas(const KlRange& range, bool drawn_alpha) {
  if (!drawn_alpha) return {range.alpha_min()};
  std::vector<double> alphas;
  for (const double amount : {0.0, 0.25, 0.5, 0.75, 0.95})
    alphas.push_back(range.alpha_of(amount));
  return alphas;
}

}  // namespace moft::exact
