// Correlations of rewards and cosines of gradients.
#include "moft/algorithms/correlation.h"

#include <cmath>

#include <gtest/gtest.h>

namespace moft {
namespace {

at::Tensor columns(const std::vector<std::vector<double>>& values) {
  std::vector<at::Tensor> tensors;
  for (const auto& column : values)
    tensors.push_back(at::tensor(column, at::kDouble));
  return at::stack(tensors, 1);
}

TEST(RewardCorrelations, AreThoseOfPearson) {
  const auto pairs = reward_correlations(
      columns({{1, 2, 3, 4}, {2, 4, 6, 8}, {1, 0, 0, -1}, {1, 3, 2, 4}}));
  ASSERT_EQ(pairs.size(), 6u);
  EXPECT_EQ(pairs[0].first, 0u);
  EXPECT_EQ(pairs[0].second, 1u);
  EXPECT_NEAR(pairs[0].value, 1.0, 1e-12);
  // Deviations (-1.5, -.5, .5, 1.5) and (1, 0, 0, -1): -3 / sqrt(5 * 2).
  EXPECT_NEAR(pairs[1].value, -3 / std::sqrt(10.0), 1e-12);
  EXPECT_NEAR(pairs[2].value, 0.8, 1e-12);
}

// Between the prompts both rise, within each one falls where the other rises.
TEST(RewardCorrelations, WithinGroupsLeaveThePromptsOut) {
  const at::Tensor rewards = columns({{0, 1, 10, 11}, {1, 0, 11, 10}});
  EXPECT_GT(reward_correlations(rewards).at(0).value, 0.9);
  const at::Tensor groups = at::tensor({0, 0, 1, 1}, at::kLong);
  EXPECT_NEAR(reward_correlations(rewards, groups).at(0).value, -1.0, 1e-12);
}

TEST(RewardCorrelations, OfAConstantAreLeftOut) {
  // The mean of three .1 is not .1 in double.
  EXPECT_TRUE(reward_correlations(columns({{.1, .1, .1}, {1, 2, 3}})).empty());
}

TEST(GradientCosines, CountEveryTensorWithItsCoefficient) {
  const auto tensor = [](std::vector<float> values) {
    return at::tensor(values, at::kFloat);
  };
  const at::Tensor shared = tensor({3, 4});
  const std::vector<ScaledGradient> a{{shared, 0.5}, {tensor({2}), 1.0}};
  const std::vector<ScaledGradient> b{{shared, -0.5}, {}};
  const std::vector<ScaledGradient> none{{}, {shared.narrow(0, 0, 1), 0.0}};
  const auto pairs = gradient_cosines({a, b, none});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].second, 1u);
  // -6.25 / (sqrt(6.25 + 4) 2.5)
  EXPECT_NEAR(pairs[0].value, -2.5 / std::sqrt(10.25), 1e-12);
}

}  // namespace
}  // namespace moft
