// Per-token weights of the policy's loss against closed forms.
#include "moft/algorithms/policy_loss.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft::test {
namespace {

// Two rows of two and three tokens.
PolicyLoss terms() {
  PolicyLoss terms;
  terms.log_probs = at::tensor({-0.5, -1.5, -0.25, -2.0, -1.0}, at::kDouble);
  terms.log_probs.requires_grad_();
  terms.lengths = at::tensor(std::vector<std::int64_t>{2, 3}, at::kLong);
  terms.advantages = at::tensor({2.0, -3.0}, at::kDouble);
  terms.kl_weight = at::tensor({0.5, 0.25}, at::kDouble);
  return terms;
}

std::vector<double> gradient_of(const PolicyLoss& terms, double normaliser) {
  policy_loss(terms, normaliser).backward();
  const at::Tensor gradient = terms.log_probs.grad();
  return {
      gradient.const_data_ptr<double>(),
      gradient.const_data_ptr<double>() + gradient.numel()};
}

void expect_near(
    const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-15) << i;
}

TEST(PolicyLoss, WithoutWeightsEveryTokenCountsOne) {
  expect_near(gradient_of(terms(), 2.0), {-1, -1, 1.5, 1.5, 1.5});
}

// GRPO: mean over a row's tokens, then over rows.
TEST(PolicyLoss, OneOverTheLengthMakesEachRowAMean) {
  PolicyLoss grpo = terms();
  grpo.token_weights =
      at::tensor({0.5, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3}, at::kDouble);
  EXPECT_NEAR(
      policy_loss(grpo, 2.0).item<double>(),
      -(2.0 * (-2.0 / 2) - 3.0 * (-3.25 / 3)) / 2,
      1e-15);
  expect_near(gradient_of(grpo, 2.0), {-0.5, -0.5, 0.5, 0.5, 0.5});
}

// DAPO: mean over all tokens.
TEST(PolicyLoss, TheNumberOfTokensAsNormaliserMakesAMeanOverTokens) {
  expect_near(gradient_of(terms(), 5.0), {-0.4, -0.4, 0.6, 0.6, 0.6});
  PolicyLoss equal = terms();
  equal.token_weights = at::ones({5}, at::kDouble);
  expect_near(gradient_of(equal, 5.0), {-0.4, -0.4, 0.6, 0.6, 0.6});
}

// -(1 / n) sum c_t [(A + k credit_t) log pi_t - k K_t].
TEST(PolicyLoss, WeightsMultiplyCreditsAndKlsToo) {
  PolicyLoss all = terms();
  all.credit = at::tensor({0.0, 1.0, 0.0, 2.0, 4.0}, at::kDouble);
  all.kl = at::tensor({0.1, 0.2, 0.3, 0.4, 0.5}, at::kDouble);
  all.token_weights = at::tensor({1.0, 0.5, 0.0, 2.0, 1.0}, at::kDouble);
  const double expected =
      -(1.0 * (2.0 * -0.5 - 0.5 * 0.1) + 0.5 * (2.5 * -1.5 - 0.5 * 0.2) +
        2.0 * (-2.5 * -2.0 - 0.25 * 0.4) + 1.0 * (-2.0 * -1.0 - 0.25 * 0.5)) /
      4.0;
  EXPECT_NEAR(policy_loss(all, 4.0).item<double>(), expected, 1e-15);
  expect_near(gradient_of(all, 4.0), {-0.5, -0.3125, 0.0, 1.25, 0.5});
}

TEST(PolicyLoss, RefusesWeightsThatDoNotFit) {
  PolicyLoss few = terms();
  few.token_weights = at::ones({2}, at::kDouble);
  EXPECT_THROW(policy_loss(few, 1.0), CallerError);
}

}  // namespace
}  // namespace moft::test
