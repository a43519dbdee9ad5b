// The value network's mathematics: loss, baseline, explained variance.
#include "moft/algorithms/values.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/rewards.h"
#include "moft/core/errors.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

nlohmann::json reference_batch() {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) +
      "/tests/reference/algorithms/advantages.json");
  return nlohmann::json::parse(file);
}

at::Tensor row(const nlohmann::json& json) {
  return at::tensor(json.get<std::vector<double>>(), at::kDouble);
}

// Rows 61 and 62: a batch worked out beside the paper.
TEST(Values, LossAndItsGradientAreTheReferences) {
  const auto json = reference_batch();
  const at::Tensor targets = matrix(json.at("R"));
  at::Tensor values = matrix(json.at("V")).requires_grad_();
  const auto count = static_cast<double>(values.numel());
  const at::Tensor loss = value_loss(values, targets, count);
  EXPECT_NEAR(loss.item<double>(), json.at("value_mse"), 1e-15);
  loss.backward();
  EXPECT_LT(
      largest_difference(values.grad(), matrix(json.at("value_grad"))), 1e-16);
}

// (1 - 3)^2 + (4 - 6)^2: neither value nor gradient of the others counts.
TEST(Values, MissingTargetsHaveNoPart) {
  at::Tensor values =
      at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({2, 2});
  values.requires_grad_();
  const double none = std::nan("");
  const at::Tensor targets =
      at::tensor({3.0, none, none, 6.0}, at::kDouble).view({2, 2});
  const at::Tensor loss = value_loss(values, targets, 2.0);
  EXPECT_EQ(loss.item<double>(), 4.0);
  loss.backward();
  EXPECT_TRUE(values.grad().equal(
      at::tensor({-2.0, 0.0, 0.0, -2.0}, at::kDouble).view({2, 2})));
}

TEST(Values, BaselinesGiveTheReferencesAdvantages) {
  const auto json = reference_batch();
  const at::Tensor rewards = matrix(json.at("R"));
  const at::Tensor values = matrix(json.at("V"));
  const std::int64_t rows = rewards.size(0);
  const at::Tensor w = row(json.at("w")).expand({rows, 2});
  const at::Tensor alpha =
      at::full({rows}, json.at("alpha").get<double>(), at::kDouble);
  const at::Tensor r = regularised_reward(
      scalarise(rewards, w), row(json.at("logratio")), alpha);
  const auto advantages = [&](ValueScale scale) {
    return r - value_baseline(values, w, alpha, scale);
  };
  const auto compare = [&](ValueScale scale, const std::string& name) {
    const at::Tensor a = advantages(scale);
    EXPECT_LT(largest_difference(a, row(json.at(name))), 1e-15) << name;
    EXPECT_LT(
        largest_difference(
            make_advantages(
                {a, at::zeros_like(a), {}}, AdvantageNormalisation::kBatch)
                .advantages,
            row(json.at(name + "_norm"))),
        1e-13)
        << name;
  };
  compare(ValueScale::kLiteral, "A_literal");
  compare(ValueScale::kReward, "A_scaled");
}

TEST(Values, EachRowHasItsOwnWeightingAndStrength) {
  const at::Tensor values =
      at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({2, 2});
  const at::Tensor w =
      at::tensor({1.0, 0.0, 0.5, 0.5}, at::kDouble).view({2, 2});
  const at::Tensor alpha = at::tensor({0.5, 1.0}, at::kDouble);
  EXPECT_TRUE(value_baseline(values, w, alpha, ValueScale::kReward)
                  .equal(at::tensor({0.5, 0.0}, at::kDouble)));
  EXPECT_TRUE(value_baseline(values, w, alpha, ValueScale::kLiteral)
                  .equal(at::tensor({1.0, 3.5}, at::kDouble)));
}

TEST(Values, ExplainedVarianceHasItsKnownEnds) {
  const at::Tensor targets =
      at::tensor({0.0, 1.0, 2.0, 5.0, 4.0, 3.0}, at::kDouble).view({3, 2});
  EXPECT_EQ(explained_variance(targets, targets), 1.0);
  // A constant mistake explains as much.
  EXPECT_NEAR(explained_variance(targets + 7, targets), 1.0, 1e-15);
  EXPECT_NEAR(
      explained_variance(at::full_like(targets, 0.4), targets), 0.0, 1e-15);
  EXPECT_NEAR(explained_variance(targets / 2, targets), 0.75, 1e-15);
  EXPECT_NEAR(explained_variance(-targets, targets), -3.0, 1e-14);
  EXPECT_EQ(explained_variance(targets, at::ones({3, 2})), 0.0);
}

// Row 58 with a value network: whatever it says of the prompt, the expected
// gradient is the objective's; a good value cuts the variance.
TEST(Values, AnyValueOfThePromptKeepsTheExpectedGradient) {
  Enumerated model = read_enumerated("beta_0");
  const at::Tensor reward = model.reward();
  const std::int64_t rows = reward.numel();
  const at::Tensor w = at::tensor({0.3, 0.7}, at::kDouble).expand({rows, 2});
  const at::Tensor alpha = at::full({rows}, model.alpha(), at::kDouble);
  for (const double value : {-3.0, 0.0, 0.4, 11.0}) {
    const at::Tensor values =
        at::tensor({value, 1 - value}, at::kDouble).expand({rows, 2});
    for (const ValueScale scale : {ValueScale::kReward, ValueScale::kLiteral}) {
      const at::Tensor gradient = model.expected_gradient(
          reward - value_baseline(values, w, alpha, scale));
      EXPECT_LT(largest_difference(gradient, model.exact_gradient()), 2e-10)
          << value;
    }
  }
  const at::Tensor mean = model.probabilities().dot(model.scalarised());
  const at::Tensor good =
      value_baseline(mean.expand({rows, 2}), w, alpha, ValueScale::kReward);
  EXPECT_LT(
      model.trace_variance(reward - good), 0.8 * model.trace_variance(reward));
}

TEST(Values, RefuseUnfitInput) {
  const at::Tensor two = at::zeros({2, 2}), three = at::zeros({3, 2});
  EXPECT_THROW(value_loss(two, three, 1.0), CallerError);
  EXPECT_THROW(value_loss(two, two, 0.0), CallerError);
  EXPECT_THROW(value_loss(at::zeros({2}), at::zeros({2}), 1.0), CallerError);
  EXPECT_THROW(explained_variance(two, three), CallerError);
  EXPECT_THROW(
      value_baseline(two, two, at::zeros({3}), ValueScale::kReward),
      CallerError);
}

}  // namespace
}  // namespace moft::test
