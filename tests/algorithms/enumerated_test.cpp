// REINFORCE on a model whose every output can be listed: expected gradients
// are exact sums, compared with the objective's own gradient.
#include "tests/algorithms/enumerated.h"

#include <map>

#include <gtest/gtest.h>

#include "moft/algorithms/baselines.h"

namespace moft::test {
namespace {

class EnumeratedModel : public testing::TestWithParam<const char*> {
 protected:
  Enumerated model_ = read_enumerated(GetParam());
};

TEST_P(EnumeratedModel, ObjectiveAndKlAreTheExactOnes) {
  const at::Tensor p = model_.probabilities();
  EXPECT_NEAR(p.sum().item<double>(), 1.0, 1e-14);
  EXPECT_NEAR(p.dot(model_.reward()).item<double>(), model_.number("J"), 1e-12);
  const at::Tensor l = model_.sequence_log_ratio();
  EXPECT_NEAR(p.dot(l).item<double>(), model_.number("KL"), 1e-12);
  // k3 is unbiased because the reference covers every output.
  EXPECT_NEAR(p.dot(k3(l)).item<double>(), model_.number("KL"), 1e-12);
  EXPECT_GE(k3(l).min().item<double>(), 0.0);
}

// CLP's update with the sequence log ratio in the reward is the gradient of
// equation 1.
TEST_P(EnumeratedModel, SequenceKlInRewardGivesTheExactGradient) {
  const at::Tensor gradient = model_.expected_gradient(model_.reward());
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_LT(
      largest_difference(gradient, model_.estimator("k1_in_reward_seq")),
      1e-14);
}

TEST_P(EnumeratedModel, RewardToGoGivesTheExactGradient) {
  const at::Tensor to_go =
      own_tokens(model_.token_log_ratio(), model_.lengths())
          .flip(1)
          .cumsum(1)
          .flip(1);
  const at::Tensor advantages =
      (1 - model_.alpha()) * model_.scalarised().unsqueeze(1) -
      model_.alpha() * to_go;
  const at::Tensor gradient = model_.expected_token_gradient(advantages);
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_LT(
      largest_difference(gradient, model_.estimator("k1_reward_to_go")), 1e-14);
}

// The wrong choices of the science table are wrong by the known amounts.
TEST_P(EnumeratedModel, OtherKlTermsInTheRewardAreOffAsKnown) {
  const double alpha = model_.alpha();
  const at::Tensor l = model_.sequence_log_ratio();
  const at::Tensor base = (1 - alpha) * model_.scalarised();
  const at::Tensor full = at::full_like(base, model_.number("KL"));
  const std::map<const char*, at::Tensor> kl_terms = {
      {"reward_only", at::zeros_like(base)},
      {"full_KL_as_reward", full},
      {"k2_in_reward", k2(l)},
      {"k3_in_reward", k3(l)},
      {"wrong_sign", -l}};
  for (const auto& [name, term] : kl_terms) {
    const at::Tensor gradient = model_.expected_gradient(base - alpha * term);
    EXPECT_LT(largest_difference(gradient, model_.estimator(name)), 1e-13)
        << name;
    EXPECT_GT(largest_difference(gradient, model_.exact_gradient()), 1e-3)
        << name;
  }
}

TEST_P(EnumeratedModel, ConstantBaselineKeepsTheMeanAndCutsTheVariance) {
  const at::Tensor reward = model_.reward();
  const at::Tensor mean = model_.probabilities().dot(reward);
  const at::Tensor gradient = model_.expected_gradient(reward - mean);
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_NEAR(
      model_.trace_variance(reward),
      model_.number("trace_var_no_baseline"),
      1e-8);
  EXPECT_NEAR(
      model_.trace_variance(reward - mean),
      model_.number("trace_var_mean_baseline"),
      1e-8);
}

// Expectation over all 15 x 15 pairs of independent samples: leave-one-out is
// unbiased, the mean of two halves the gradient.
TEST_P(EnumeratedModel, LeaveOneOutIsUnbiasedBatchMeanShrinks) {
  const at::Tensor reward = model_.reward();
  const at::Tensor p = model_.probabilities();
  const at::Tensor groups = at::zeros({2}, at::kLong);
  const std::int64_t n = reward.numel();
  at::Tensor loo = at::zeros({n}, at::kDouble);
  at::Tensor mean = at::zeros({n}, at::kDouble);
  for (std::int64_t a = 0; a < n; ++a) {
    for (std::int64_t b = 0; b < n; ++b) {
      const at::Tensor pair = at::stack({reward[a], reward[b]});
      const at::Tensor one_out = pair - leave_one_out_baseline(pair, groups);
      loo[a] += p[b] * one_out[0];
      mean[a] += p[b] * (pair - batch_mean(pair))[0];
    }
  }
  const at::Tensor exact = model_.exact_gradient();
  EXPECT_LT(largest_difference(model_.expected_gradient(loo), exact), 2e-10);
  EXPECT_LT(
      largest_difference(model_.expected_gradient(mean), exact / 2), 2e-10);
}

INSTANTIATE_TEST_SUITE_P(
    Beta,
    EnumeratedModel,
    testing::Values("beta_0", "beta_0.789"),
    [](const auto& chosen) {
      return std::string(chosen.param) == "beta_0" ? "Zero" : "Mixed";
    });

}  // namespace
}  // namespace moft::test
