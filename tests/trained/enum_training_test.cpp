// The production loop on ENUM-1: its samples and gradients against
// enumeration. The oracles of scripts/verify_trained run longer.
#include "tests/trained/enum_training.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "tests/trained/enum_recipes.h"
#include "verify/enum_text.h"

namespace moft::exact {
namespace {

// w uniform on the triangle, f_mix(alpha) uniform on [0, 1].
TEST(SteeringNodes, IntegrateTheirDistributions) {
  EnumPolicy policy(
      enum_policy_options(ModelFamily::kLlama, EnumVariant::kFull));
  SteeringDraws draws;
  draws.kl_sampler = AlphaDistribution::kInverse;
  double total = 0, mean = 0, square = 0, product = 0, alpha = 0;
  for (const auto& [steering, share] :
       steering_nodes(policy.policy(), draws, 12)) {
    total += share;
    mean += share * steering.w[2];
    square += share * steering.w[2] * steering.w[2];
    product += share * steering.w[0] * steering.w[1];
    alpha += share * steering.alpha;
  }
  EXPECT_NEAR(total, 1.0, 1e-13);
  EXPECT_NEAR(mean, 1.0 / 3, 1e-13);
  EXPECT_NEAR(square, 1.0 / 6, 1e-13);
  EXPECT_NEAR(product, 1.0 / 12, 1e-13);
  EXPECT_NEAR(alpha, .2558427881, 1e-6);  // alpha_min .1
  draws.kl_sampler = AlphaDistribution::kUniform;
  draws.weightings.sampler = WeightingDistribution::kGrid;
  draws.weightings.grid_points = 15;
  const auto nodes = steering_nodes(policy.policy(), draws, 2);
  EXPECT_EQ(nodes.size(), 30U);
  alpha = 0;
  for (const auto& [steering, share] : nodes)
    alpha += share * steering.alpha;
  EXPECT_NEAR(alpha, .55, 1e-13);
}

class EnumLoop : public testing::TestWithParam<
                     std::tuple<ModelFamily, EnumVariant, WeightingPer>> {};

// A short version of the oracles: rewards, KL, value and gradient
// of 64 steps, w and alpha drawn.
TEST_P(EnumLoop, SamplesEstimateWhatEnumerationSays) {
  const auto [family, variant, per] = GetParam();
  EnumPolicy policy(enum_policy_options(family, variant));
  policy.perturb(0.5, 7);
  TrainingOptions training;
  training.prompts_per_step = 4;
  training.weighting_per = per;
  SteeringDraws draws;
  draws.kl_sampler = AlphaDistribution::kInverse;
  draws.weightings.sampler = WeightingDistribution::kGrid;
  draws.weightings.grid_points = 6;
  const LoopCheck check = check_loop(policy, training, draws, 4, 1, 4);
  for (const MetricCheck& metric : check.metrics)
    EXPECT_LT(metric.errors_off(), 4.0) << metric.name;
  EXPECT_NEAR(check.slope, 1.0, 4 * check.slope_error);
  EXPECT_LT(check.slope_error, 0.25);
  EXPECT_LT(check.error_of_all, 2 * check.standard_error_of_all);
  EXPECT_GT(check.ratio(), 2.0);  // 4 up to chance; 1 if biased or constant
}

using enum ModelFamily;
using enum EnumVariant;

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    EnumLoop,
    testing::Values(
        std::tuple(kLlama, kFull, WeightingPer::kBatch),
        std::tuple(kLlama, kLora, WeightingPer::kPrompt),
        std::tuple(kLlama, kPrompt, WeightingPer::kPrompt),
        std::tuple(kT5, kAttention, WeightingPer::kPrompt),
        std::tuple(kT5, kLogits, WeightingPer::kBatch)),
    [](const auto& kind) {
      return family_name(std::get<0>(kind.param)) + "_" +
             variant_name(std::get<1>(kind.param)) + "_per_" +
             enum_name(std::get<2>(kind.param));
    });

// A baseline that holds the completion's own reward shortens the gradient by
// 1 - 1 / rows, whatever the weightings: a bias the check must see.
TEST(LoopCheck, SeesWhatTheBatchMeanTakesOff) {
  EnumPolicy policy(
      enum_policy_options(ModelFamily::kLlama, EnumVariant::kFull));
  TrainingOptions training;
  training.baseline = Baseline::kBatchMean;
  training.prompts_per_step = 4;
  training.samples_per_prompt = 1;
  training.weighting_per = WeightingPer::kPrompt;
  SteeringDraws draws;
  draws.weightings.sampler = WeightingDistribution::kGrid;
  draws.weightings.grid_points = 6;
  const LoopCheck check = check_loop(policy, training, draws, 12, 1, 1);
  EXPECT_NEAR(check.slope, 0.75, 4 * check.slope_error);
  EXPECT_LT(check.slope, 1.0 - 4 * check.slope_error);
}

// Row 20: exact sampling. Answers rarer than five expected are one cell.
TEST(EnumSamples, FollowTheEnumeratedProbabilities) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    EnumPolicy policy(enum_policy_options(family, EnumVariant::kFull));
    policy.perturb(0.5, 7);
    TrainingOptions training;
    training.prompts_per_step = 4;
    training.samples_per_prompt = 200;
    training.kl_strength = 0.1;
    training.optimizer.learning_rate = 0.0;
    SteeringDraws draws;
    draws.weightings.sampler = WeightingDistribution::kFixed;
    draws.weightings.weights = {
        {"faithful", 0.2}, {"rouge", 0.5}, {"length", 0.3}};
    const auto trainer = make_enum_trainer(policy, training, draws);
    std::map<std::string, std::map<std::string, int>> counts;
    constexpr int kSteps = 10;
    for (int step = 0; step < kSteps; ++step) {
      for (const TrainingSample& sample : trainer->step().samples)
        ++counts[sample.prompt][sample.completion];
    }
    constexpr double kDrawn = 200 * kSteps;
    double chi_square = 0, freedom = 0;
    for (std::size_t p = 0; p < 4; ++p) {
      const Vector pi = exponentials(
          policy.log_probs(p, Steering{Weighting({0.2, 0.5, 0.3}), 0.1}));
      double rare = kDrawn, rare_seen = kDrawn;
      for (std::size_t k = 0; k < pi.size(); ++k) {
        const double expected = kDrawn * pi[k];
        if (expected < 5) continue;
        const double seen = counts[policy.examples()[p].id]
                                  [enum_text(policy.task().answers()[k])];
        chi_square += (seen - expected) * (seen - expected) / expected;
        rare -= expected;
        rare_seen -= seen;
        ++freedom;
      }
      if (rare >= 5) {
        chi_square += (rare_seen - rare) * (rare_seen - rare) / rare;
        ++freedom;
      }
      --freedom;
    }
    // Normal to good approximation; 3.1 is p = .001 one-sided.
    EXPECT_LT(chi_square, freedom + 3.1 * std::sqrt(2 * freedom));
    EXPECT_GT(chi_square, freedom - 3.1 * std::sqrt(2 * freedom));
  }
}

}  // namespace
}  // namespace moft::exact
