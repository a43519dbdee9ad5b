// Clipped ratios, token weights and k3 in the loss: closed forms, finite
// differences, and where they are REINFORCE.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/policy_loss.h"
#include "moft/algorithms/token_weights.h"
#include "moft/core/errors.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

at::Tensor numbers(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor counts(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

// Two rows of two and three tokens.
PolicyLoss terms() {
  PolicyLoss terms;
  terms.log_probs = numbers({-0.5, -1.5, -0.25, -2.0, -1.0}).requires_grad_();
  terms.lengths = counts({2, 3});
  terms.advantages = numbers({2.0, -3.0});
  terms.kl_weight = numbers({0.5, 0.25});
  return terms;
}

at::Tensor gradient_of(const PolicyLoss& terms, double normaliser) {
  terms.log_probs.mutable_grad() = at::Tensor();
  policy_loss(terms, normaliser).backward();
  return terms.log_probs.grad();
}

void expect_finite_differences(
    const at::Tensor& at_point,
    const std::function<at::Tensor(const at::Tensor&)>& loss) {
  const at::Tensor point = at_point.detach().clone().requires_grad_();
  loss(point).backward();
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < point.numel(); ++i) {
    const auto moved = [&](double step) {
      at::Tensor there = point.detach().clone();
      there[i] += step;
      return loss(there).item<double>();
    };
    EXPECT_NEAR(
        point.grad()[i].item<double>(),
        (moved(kStep) - moved(-kStep)) / (2 * kStep),
        1e-8)
        << i;
  }
}

TEST(ClippedLoss, OnPolicyItsGradientIsReinforces) {
  PolicyLoss plain = terms();
  plain.token_weights = numbers({0.5, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3});
  PolicyLoss clipped = plain;
  clipped.clip = RatioClip{};
  const at::Tensor wanted = gradient_of(plain, 2.0).clone();
  EXPECT_TRUE(gradient_of(clipped, 2.0).equal(wanted));
  clipped.old_log_probs = clipped.log_probs.detach().clone();
  EXPECT_TRUE(gradient_of(clipped, 2.0).equal(wanted));
  const ClipFigures figures = clip_figures(clipped);
  EXPECT_EQ(figures.tokens, 5.0);
  EXPECT_EQ(figures.ratio, 5.0);
  EXPECT_EQ(figures.low + figures.high + figures.square, 0.0);
}

// Advantages of tokens that are their row's are nothing new.
TEST(ClippedLoss, AdvantagesMayBeOfRowsOrTokens) {
  PolicyLoss rows = terms();
  PolicyLoss tokens = rows;
  tokens.advantages = at::Tensor();
  tokens.token_advantages = numbers({2.0, 2.0, -3.0, -3.0, -3.0});
  const at::Tensor wanted = gradient_of(rows, 2.0).clone();
  EXPECT_TRUE(gradient_of(tokens, 2.0).equal(wanted));
  rows.clip = tokens.clip = RatioClip{};
  EXPECT_TRUE(gradient_of(rows, 2.0).equal(wanted));
  EXPECT_TRUE(gradient_of(tokens, 2.0).equal(wanted));
  // Nothing is read from sizes: one for each row is not one for each token.
  tokens.token_advantages = numbers({2.0, -3.0});
  EXPECT_THROW(policy_loss(tokens, 2.0), CallerError);
}

// rho = 1.5, 0.5 with A = 2; 1.5, 0.5, 1.1 with A = -3; clipped to [0.8, 1.3].
TEST(ClippedLoss, IsTheSmallerOfBothAndStopsTheGradientThere) {
  PolicyLoss all = terms();
  const at::Tensor ratio = numbers({1.5, 0.5, 1.5, 0.5, 1.1});
  all.old_log_probs = all.log_probs.detach() - ratio.log();
  all.clip = RatioClip{0.2, 0.3};
  EXPECT_NEAR(
      policy_loss(all, 4.0).item<double>(),
      -(2.0 * (1.3 + 0.5) - 3.0 * (1.5 + 0.8 + 1.1)) / 4.0,
      1e-14);
  EXPECT_LT(
      largest_difference(
          gradient_of(all, 4.0),
          numbers({0.0, -2.0 * 0.5, 3.0 * 1.5, 0.0, 3.0 * 1.1}) / 4.0),
      1e-14);
  const ClipFigures figures = clip_figures(all);
  EXPECT_EQ(figures.low, 1.0);
  EXPECT_EQ(figures.high, 1.0);
  EXPECT_NEAR(figures.ratio, 5.1, 1e-14);
  EXPECT_NEAR(figures.square, ratio.log().square().sum().item<double>(), 1e-14);
  // A token without weight is not counted.
  all.token_weights = numbers({0.0, 1.0, 1.0, 1.0, 1.0});
  EXPECT_EQ(clip_figures(all).tokens, 4.0);
  EXPECT_EQ(clip_figures(all).high, 0.0);
}

TEST(ClippedLoss, GradientsAreFiniteDifferences) {
  const PolicyLoss given = terms();
  const at::Tensor old = numbers({-0.6, -1.1, -0.3, -1.7, -1.05});
  const at::Tensor reference = numbers({-0.7, -1.2, -0.4, -1.4, -0.9});
  for (const bool corrected : {true, false}) {
    expect_finite_differences(given.log_probs, [&](const at::Tensor& now) {
      PolicyLoss moved = given;
      moved.log_probs = now;
      moved.old_log_probs = old;
      moved.clip = RatioClip{0.2, 0.28};
      moved.credit = numbers({0.0, 0.5, 0.0, -0.5, 1.0});
      moved.token_weights = numbers({0.5, 0.5, 1.0, 0.0, 2.0});
      moved.kl = token_k3(now, reference, old, corrected);
      return policy_loss(moved, 3.0);
    });
  }
}

TEST(ClippedLoss, RefusesTermsThatDoNotFit) {
  PolicyLoss few = terms();
  few.clip = RatioClip{};
  few.old_log_probs = at::zeros({2}, at::kDouble);
  EXPECT_THROW(policy_loss(few, 1.0), CallerError);
  few.old_log_probs = at::Tensor();
  EXPECT_THROW(policy_loss(few, 0.0), CallerError);
  EXPECT_THROW(
      token_k3(at::zeros({2}), at::zeros({3}), at::Tensor(), true),
      CallerError);
}

// On policy: E[grad of k3 rho] = E[l grad log pi], the gradient of KL(pi||ref);
// without rho E[(1 - ref / pi) grad log pi], that of KL(ref||pi).
TEST(TokenK3, ExpectedGradientsAreThoseOfTheTwoKls) {
  at::Tensor logits = numbers({0.3, -0.8, 1.1}).requires_grad_();
  const at::Tensor reference = at::log_softmax(numbers({-0.4, 0.5, 0.2}), 0);
  const auto gradient = [&](const std::function<at::Tensor()>& value) {
    logits.mutable_grad() = at::Tensor();
    value().backward();
    return logits.grad().clone();
  };
  const auto own = [&] { return at::log_softmax(logits, 0); };
  const auto expected = [&](bool corrected) {
    return gradient([&] {
      const at::Tensor p = own().detach().exp();
      return (p * token_k3(own(), reference, at::Tensor(), corrected)).sum();
    });
  };
  EXPECT_LT(
      largest_difference(expected(true), gradient([&] {
                           return (own().exp() * (own() - reference)).sum();
                         })),
      1e-14);
  EXPECT_LT(
      largest_difference(expected(false), gradient([&] {
                           return (reference.exp() * (reference - own())).sum();
                         })),
      1e-14);
}

TEST(TokenWeights, MakeTheMeansOfEveryLossType) {
  const at::Tensor lengths = counts({2, 4, 1});
  const at::Tensor masked =
      at::tensor(std::vector<std::int64_t>{0, 0, 1}, at::kLong).ne(0);
  const at::Tensor losses = numbers({1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0});
  LossShape shape;
  shape.rows = 3.0;
  shape.tokens = 6.0;
  shape.all_tokens = 20.0;
  shape.minibatches = 2.0;
  shape.longest = 8.0;
  const auto loss = [&](LossType type) {
    return (losses * token_weights(type, lengths, masked))
               .sum()
               .item<double>() /
           loss_normaliser(type, shape);
  };
  EXPECT_NEAR(loss(LossType::kGrpo), (1.5 + 4.5) / 3, 1e-15);
  EXPECT_NEAR(loss(LossType::kBnpo), 21.0 / 6, 1e-15);
  EXPECT_NEAR(loss(LossType::kDapo), 21.0 / 10, 1e-15);
  EXPECT_NEAR(loss(LossType::kDrGrpo), 21.0 / 24, 1e-15);
  EXPECT_EQ(loss_normaliser(LossType::kBnpo, LossShape{}), 1.0);
  EXPECT_THROW(
      token_weights(LossType::kGrpo, lengths, masked.narrow(0, 0, 2)),
      CallerError);
}

// The biases of the loss types on the enumerated task: the expected gradient of
// dr_grpo is REINFORCE's over L; grpo's is that of rewards divided by lengths.
TEST(TokenWeights, ExpectedGradientsOfAllOutputs) {
  Enumerated model = read_enumerated("beta_0");
  const at::Tensor lengths = model.lengths();
  const at::Tensor exact = model.exact_gradient();
  const at::Tensor none = at::zeros({lengths.numel()}, at::kBool);
  const auto expected = [&](LossType type) {
    const at::Tensor rows = length_mask(lengths, 3);
    PolicyLoss terms;
    terms.log_probs = model.token_log_probs(model.theta()).masked_select(rows);
    terms.lengths = lengths;
    terms.advantages = model.probabilities() * model.reward();
    terms.clip = RatioClip{};
    terms.token_weights = token_weights(type, lengths, none);
    LossShape shape;
    shape.rows = 1.0;
    shape.longest = 3.0;
    model.theta().mutable_grad() = at::Tensor();
    policy_loss(terms, loss_normaliser(type, shape)).backward();
    return -model.theta().grad();
  };
  EXPECT_LT(largest_difference(expected(LossType::kDrGrpo) * 3, exact), 2e-10);
  const at::Tensor divided =
      model.expected_gradient(model.reward() / lengths.to(at::kDouble));
  EXPECT_LT(largest_difference(expected(LossType::kGrpo), divided), 1e-14);
  // docs/methods/grpo.md has this number.
  const at::Tensor cosine =
      (divided * exact).sum() / (divided.norm() * exact.norm());
  EXPECT_NEAR(cosine.item<double>(), 0.973105, 1e-6);
}

}  // namespace
}  // namespace moft::test
