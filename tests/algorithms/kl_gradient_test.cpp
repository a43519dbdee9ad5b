// Every way to bring the KL into the gradient, on the model whose outputs can
// all be listed: the production functions against the oracle's sums.
#include "moft/algorithms/kl_gradient.h"

#include <gtest/gtest.h>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/policy_loss.h"
#include "moft/core/errors.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

struct Row {
  KlEstimator estimator;
  const char* oracle;
  bool exact;
};

constexpr Row kRows[] = {
    {KlEstimator::kSequence, "k1_in_reward_seq", true},
    {KlEstimator::kRewardToGo, "k1_reward_to_go", true},
    {KlEstimator::kTokenExact, "tokenKL_direct_plus_future_score", true},
    {KlEstimator::kTokenDirect, "tokenKL_direct_only", false},
    // The same in expectation, from samples.
    {KlEstimator::kTokenK3, "tokenKL_direct_only", false},
    {KlEstimator::kSequenceK2, "k2_in_reward", false},
    {KlEstimator::kSequenceK3, "k3_in_reward", false},
    {KlEstimator::kNone, "reward_only", false},
};

// All outputs packed row after row, as a step has its completions.
class KlGradient : public testing::TestWithParam<const char*> {
 protected:
  KlGradient() {
    mask_ = length_mask(model_.lengths(), 3);
    prefixes_ = model_.prefix().masked_select(mask_);
  }

  at::Tensor packed(const at::Tensor& padded) const {
    return padded.masked_select(mask_);
  }

  TokenKl tokens() const {
    TokenKl tokens;
    tokens.log_ratio = packed(model_.token_log_ratio());
    tokens.kl = token_kl(model_.theta().detach(), model_.reference(), 1.0)
                    .index_select(0, prefixes_);
    tokens.lengths = model_.lengths();
    return tokens;
  }

  // The advantages of an estimator, before any probability.
  at::Tensor advantages(KlEstimator estimator) const {
    return regularised_reward(
        model_.scalarised(),
        reward_kl(estimator, tokens()),
        scalar(model_.alpha()));
  }

  // sum_y pi(y) g(y), g the gradient of one output's loss.
  at::Tensor expected_gradient(
      KlEstimator estimator, const at::Tensor& advantages) const {
    const at::Tensor p = model_.probabilities();
    PolicyLoss terms;
    terms.log_probs = packed(model_.token_log_probs(model_.theta()));
    terms.lengths = model_.lengths();
    terms.advantages = p * advantages;
    terms.kl_weight = p * model_.alpha();
    terms.credit = token_credit(estimator, tokens());
    if (estimator == KlEstimator::kTokenK3) {
      terms.kl = token_k3(
          terms.log_probs,
          packed(model_.token_log_probs(model_.reference())),
          at::Tensor(),
          /*corrected=*/true);
    }
    if (differentiates_kl(estimator)) {
      terms.kl = token_kl(model_.theta(), model_.reference(), 1.0)
                     .index_select(0, prefixes_);
    }
    model_.theta().mutable_grad() = at::Tensor();
    policy_loss(terms, 1.0).backward();
    return -model_.theta().grad();
  }

  Enumerated model_ = read_enumerated(GetParam());
  at::Tensor mask_;
  at::Tensor prefixes_;  // [N], the prefix that each token follows
};

TEST_P(KlGradient, ExpectedGradientsAreTheOracles) {
  for (const Row& row : kRows) {
    const at::Tensor gradient =
        expected_gradient(row.estimator, advantages(row.estimator));
    EXPECT_LT(largest_difference(gradient, model_.estimator(row.oracle)), 1e-13)
        << row.oracle;
    const double error = largest_difference(gradient, model_.exact_gradient());
    EXPECT_EQ(error < 2e-10, row.exact) << row.oracle << " " << error;
  }
}

// What training does to advantages before the gradient: a baseline and a
// division by the deviation. A token's credit is divided with them.
TEST_P(KlGradient, BaselineAndDivisorKeepTheDirectionOfTheExactOnes) {
  for (const Row& row : kRows) {
    if (!row.exact) continue;
    const at::Tensor reward = advantages(row.estimator);
    const double baseline = 0.37;
    const double divisor = 2.5;
    const at::Tensor p = model_.probabilities();
    PolicyLoss terms;
    terms.log_probs = packed(model_.token_log_probs(model_.theta()));
    terms.lengths = model_.lengths();
    terms.advantages = p * (reward - baseline) / divisor;
    terms.kl_weight = p * model_.alpha() / divisor;
    terms.credit = token_credit(row.estimator, tokens());
    if (differentiates_kl(row.estimator)) {
      terms.kl = token_kl(model_.theta(), model_.reference(), 1.0)
                     .index_select(0, prefixes_);
    }
    model_.theta().mutable_grad() = at::Tensor();
    policy_loss(terms, 1.0).backward();
    EXPECT_LT(
        largest_difference(
            -model_.theta().grad() * divisor, model_.exact_gradient()),
        5e-10)
        << row.oracle;
  }
}

// Rao-Blackwell: with the KL of whole distributions in place of log ratios the
// reward varies less, with the same mean.
TEST_P(KlGradient, TokenExactHasTheRewardsMeanAndLessVariance) {
  const at::Tensor p = model_.probabilities();
  const at::Tensor sampled = reward_kl(KlEstimator::kSequence, tokens());
  const at::Tensor whole = reward_kl(KlEstimator::kTokenExact, tokens());
  const double kl = model_.number("KL");
  EXPECT_NEAR(p.dot(sampled).item<double>(), kl, 1e-12);
  EXPECT_NEAR(p.dot(whole).item<double>(), kl, 1e-12);
  const auto variance = [&](const at::Tensor& values) {
    return p.dot((values - kl).square()).item<double>();
  };
  EXPECT_LT(variance(whole), variance(sampled) / 2);
}

INSTANTIATE_TEST_SUITE_P(
    Beta,
    KlGradient,
    testing::Values("beta_0", "beta_0.789"),
    [](const auto& chosen) {
      return std::string(chosen.param) == "beta_0" ? "Zero" : "Mixed";
    });

// The warnings' claim: without any reward, an output that is rarer than under
// the reference is brought back by the exact term, and pushed further away by
// k2 and k3.
TEST(KlEstimators, RareOutputsArePushedAwayByBiasedTerms) {
  const std::vector<double> pi = {0.2, 0.4, 0.4};
  const at::Tensor p = at::tensor(pi, at::kDouble);
  const at::Tensor log_ratio = (p * 3.0).log();
  const at::Tensor one_each = at::ones({3}, at::kLong);
  const auto push = [&](KlEstimator estimator) {
    const TokenKl tokens{log_ratio, at::Tensor(), one_each};
    const at::Tensor reward = -reward_kl(estimator, tokens);
    // d/d logit_0 of the expected update of a softmax: p_0 (r_0 - E r).
    return (reward[0] - p.dot(reward)).item<double>();
  };
  EXPECT_GT(push(KlEstimator::kSequence), 0.4);
  EXPECT_LT(push(KlEstimator::kSequenceK2), -0.05);
  EXPECT_LT(push(KlEstimator::kSequenceK3), -0.05);
  EXPECT_EQ(push(KlEstimator::kNone), 0.0);
}

TEST(KlEstimators, OnlyTheBiasedOnesWarn) {
  for (const Row& row : kRows) {
    const auto warning = kl_estimator_warning(row.estimator);
    EXPECT_EQ(warning.has_value(), !row.exact) << row.oracle;
    if (warning) {
      EXPECT_NE(warning->find("optimum"), std::string::npos);
    }
  }
}

TEST(KlEstimators, CreditsAreSumsOverThePast) {
  const TokenKl tokens{
      at::tensor({1.0, 2.0, 4.0, 8.0, 16.0}, at::kDouble),
      at::tensor({0.5, 0.25, 1.0, 2.0, 4.0}, at::kDouble),
      at::tensor(std::vector<std::int64_t>{2, 3}, at::kLong)};
  EXPECT_TRUE(token_credit(KlEstimator::kRewardToGo, tokens)
                  .equal(at::tensor({0.0, 1.0, 0.0, 4.0, 12.0}, at::kDouble)));
  EXPECT_TRUE(token_credit(KlEstimator::kTokenExact, tokens)
                  .equal(at::tensor({0.5, 0.75, 1.0, 3.0, 7.0}, at::kDouble)));
  EXPECT_FALSE(token_credit(KlEstimator::kSequence, tokens).defined());
  EXPECT_TRUE(reward_kl(KlEstimator::kTokenExact, tokens)
                  .equal(at::tensor({0.75, 7.0}, at::kDouble)));
  EXPECT_TRUE(reward_kl(KlEstimator::kTokenDirect, tokens)
                  .equal(at::zeros({2}, at::kDouble)));
}

TEST(KlEstimators, TokenKlIsZeroAndFlatAtTheReference) {
  at::Tensor logits = at::tensor({1.0, -2.0, 0.5}, at::kDouble).view({1, 3});
  const at::Tensor reference = logits.clone();
  logits.requires_grad_();
  const at::Tensor kl = token_kl(logits, reference, 0.6);
  EXPECT_EQ(kl.item<double>(), 0.0);
  kl.sum().backward();
  EXPECT_LT(logits.grad().abs().max().item<double>(), 1e-16);
  EXPECT_THROW(token_kl(logits, reference.view({3, 1}), 1.0), CallerError);
}

TEST(KlEstimators, LossRefusesTermsThatDoNotFit) {
  PolicyLoss terms;
  terms.log_probs = at::zeros({3}, at::kDouble);
  terms.lengths = at::tensor(std::vector<std::int64_t>{1, 2}, at::kLong);
  terms.advantages = at::zeros({2}, at::kDouble);
  terms.kl_weight = at::zeros({2}, at::kDouble);
  terms.credit = at::zeros({2}, at::kDouble);
  EXPECT_THROW(policy_loss(terms, 1.0), CallerError);
  terms.credit = at::Tensor();
  terms.kl = at::zeros({4}, at::kDouble);
  EXPECT_THROW(policy_loss(terms, 1.0), CallerError);
}

}  // namespace
}  // namespace moft::test
