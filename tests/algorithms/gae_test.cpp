// Generalised advantages and PPO's value loss against closed forms.
#include "moft/algorithms/gae.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/algorithms/values.h"
#include "moft/core/errors.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

at::Tensor column(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).unsqueeze(1);
}

// Rows of three and of two tokens.
struct Rows {
  at::Tensor rewards = column({1.0, 2.0, 4.0, 8.0, 16.0});
  at::Tensor values = column({0.5, -1.0, 3.0, 2.0, 7.0});
  at::Tensor lengths = at::tensor(std::vector<std::int64_t>{3, 2}, at::kLong);

  TokenAdvantages advantages(double gamma, double lam) const {
    return generalised_advantages(rewards, values, lengths, gamma, lam);
  }
};

TEST(Gae, WithLambdaOneItIsTheRewardToGoLessTheValue) {
  const Rows rows;
  const TokenAdvantages found = rows.advantages(1.0, 1.0);
  const at::Tensor to_go = column({7.0, 6.0, 4.0, 24.0, 16.0});
  EXPECT_TRUE(found.returns.equal(to_go));
  EXPECT_TRUE(found.advantages.equal(to_go - rows.values));
}

TEST(Gae, WithLambdaZeroItIsOneStep) {
  const Rows rows;
  const at::Tensor next = column({-1.0, 3.0, 0.0, 7.0, 0.0});
  EXPECT_LT(
      largest_difference(
          rows.advantages(0.5, 0.0).advantages,
          rows.rewards + 0.5 * next - rows.values),
      1e-15);
}

// delta_t + gamma lam delta_{t+1} + ..
TEST(Gae, SumsDiscountedErrors) {
  const Rows rows;
  const at::Tensor delta = rows.advantages(0.9, 0.0).advantages;
  const double d = 0.9 * 0.7;
  const auto at = [&](std::int64_t t) { return delta[t][0].item<double>(); };
  EXPECT_LT(
      largest_difference(
          rows.advantages(0.9, 0.7).advantages,
          column(
              {at(0) + d * at(1) + d * d * at(2),
               at(1) + d * at(2),
               at(2),
               at(3) + d * at(4),
               at(4)})),
      1e-14);
}

// Weighted sums of objectives, whatever the weighting.
TEST(Gae, IsLinearInRewardsAndValues) {
  Rows rows;
  const Rows first;
  rows.rewards = at::cat({first.rewards, first.rewards.flip(0)}, 1);
  rows.values = at::cat({first.values, first.values * first.values}, 1);
  const at::Tensor w = at::tensor({0.3, -1.7}, at::kDouble).unsqueeze(1);
  const at::Tensor apart = rows.advantages(0.95, 0.8).advantages.matmul(w);
  rows.rewards = rows.rewards.matmul(w);
  rows.values = rows.values.matmul(w);
  EXPECT_LT(
      largest_difference(rows.advantages(0.95, 0.8).advantages, apart), 1e-13);
}

TEST(Gae, RefusesWhatDoesNotFit) {
  Rows rows;
  rows.lengths = at::tensor(std::vector<std::int64_t>{3, 3}, at::kLong);
  EXPECT_THROW(rows.advantages(1.0, 1.0), CallerError);
  rows = Rows();
  rows.values = rows.values.select(1, 0);
  EXPECT_THROW(rows.advantages(1.0, 1.0), CallerError);
}

// Old 0, range 0.2: inside, clipped away from the return, clipped on the way
// past it, and without a return.
TEST(ClippedValueLoss, IsTheLargerOfBothErrors) {
  at::Tensor values = column({0.1, 0.5, -0.5, 3.0}).requires_grad_();
  const at::Tensor old = at::zeros({4, 1}, at::kDouble);
  const at::Tensor returns = column({1.0, 1.0, 1.0, std::nan("")});
  const at::Tensor loss = clipped_value_loss(values, old, returns, 0.2, 3.0);
  // max(.9^2, .9^2) + max(.5^2, .8^2) + max(1.5^2, 1.2^2)
  EXPECT_NEAR(loss.item<double>(), (0.81 + 0.64 + 2.25) / 6, 1e-15);
  loss.backward();
  EXPECT_LT(
      largest_difference(values.grad(), column({-0.9 / 3, 0.0, -1.5 / 3, 0.0})),
      1e-15);
  EXPECT_EQ(clipped_values(values, old, returns, 0.2), 1.0);
  EXPECT_THROW(clipped_value_loss(values, old, returns, 0.2, 0.0), CallerError);
  EXPECT_THROW(
      clipped_value_loss(values, old.narrow(0, 0, 2), returns, 0.2, 1.0),
      CallerError);
}

}  // namespace
}  // namespace moft::test
