// The training options of each ENUM-1 variant.
#include "tests/trained/enum_recipes.h"

#include "moft/weightings/grid.h"

namespace moft::exact {

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
