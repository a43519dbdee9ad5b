#include "moft/algorithms/reinforce.h"

#include <gtest/gtest.h>

#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

at::Tensor labels(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

TEST(TokenSums, SumEachRowsOwnTokens) {
  const at::Tensor lengths = labels({2, 0, 3});
  at::Tensor packed =
      at::tensor(std::vector<float>{1, 2, 4, 8, 16}, at::kFloat);
  packed.requires_grad_();
  const at::Tensor sums = sum_packed(packed, lengths);
  EXPECT_TRUE(sums.equal(at::tensor({3.0, 0.0, 28.0}, at::kDouble)));
  sums.dot(at::tensor({2.0, 3.0, 5.0}, at::kDouble)).backward();
  EXPECT_TRUE(packed.grad().equal(
      at::tensor(std::vector<float>{2, 2, 5, 5, 5}, at::kFloat)));
}

TEST(TokenSums, PrefixSumsBeginAnewInEveryRow) {
  const at::Tensor values =
      at::tensor(std::vector<float>{1, 2, 4, 8, 16}, at::kFloat);
  EXPECT_TRUE(
      prefix_sums_packed(values, labels({2, 0, 3}))
          .equal(at::tensor(std::vector<double>{0, 1, 0, 4, 12}, at::kDouble)));
  EXPECT_THROW(prefix_sums_packed(values, labels({2, 2})), CallerError);
}

// float32 tokens are summed in double: 2^24 + 1 + 1 keeps its units.
TEST(TokenSums, SumInDouble) {
  const at::Tensor tokens =
      at::tensor(std::vector<float>{16777216, 1, 1}, at::kFloat);
  EXPECT_EQ(sum_packed(tokens, labels({3})).item<double>(), 16777218.0);
}

TEST(TokenSums, RefuseLengthsThatDoNotFit) {
  const at::Tensor padded = at::zeros({2, 3}), packed = at::zeros({5});
  EXPECT_THROW(sum_packed(packed, at::zeros({2})), CallerError);
  EXPECT_THROW(sum_packed(packed, labels({2, 2})), CallerError);
  EXPECT_THROW(sum_packed(packed, labels({7, -2})), CallerError);
  EXPECT_THROW(sum_packed(padded, labels({6})), CallerError);
}

TEST(Reinforce, LossAndGradientAreTheHandWorkedOnes) {
  at::Tensor log_probs = at::tensor({-1.0, -2.0}, at::kDouble).requires_grad_();
  const at::Tensor advantages = at::tensor({3.0, -0.5}, at::kDouble);
  const at::Tensor loss = reinforce_loss(log_probs, advantages, 4.0);
  EXPECT_DOUBLE_EQ(loss.item<double>(), -(3.0 * -1.0 + -0.5 * -2.0) / 4.0);
  loss.backward();
  EXPECT_TRUE(log_probs.grad().equal(at::tensor({-0.75, 0.125}, at::kDouble)));
}

TEST(Reinforce, NoGradientThroughTheAdvantage) {
  at::Tensor x = at::tensor({-1.0, -2.0}, at::kDouble).requires_grad_();
  reinforce_loss(x, x * x, 1.0).backward();
  EXPECT_TRUE(x.grad().equal(at::tensor({-1.0, -4.0}, at::kDouble)));
}

// Tokens that share their sequence's advantage give the sequence loss.
TEST(Reinforce, TokenLossWithEqualAdvantagesIsTheSequenceLoss) {
  const at::Tensor tokens = -at::arange(1, 6, at::kDouble);
  const at::Tensor lengths = labels({2, 3});
  const at::Tensor advantages = at::tensor({2.0, -1.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(
      reinforce_loss(tokens, at::repeat_interleave(advantages, lengths), 2.0)
          .item<double>(),
      reinforce_loss(sum_packed(tokens, lengths), advantages, 2.0)
          .item<double>());
}

// A step cut into unequal parts has the whole step's gradient.
TEST(Reinforce, GradientAccumulationGivesTheSameGradient) {
  const at::Tensor features = (at::arange(40, at::kDouble) * 0.7).sin();
  const at::Tensor advantages = (at::arange(10, at::kDouble) * 1.3).cos();
  at::Tensor theta = at::zeros({4}, at::kDouble).requires_grad_();
  const auto backward = [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor x = features.view({10, 4}).slice(0, begin, end);
    reinforce_loss(
        at::log_sigmoid(at::matmul(x, theta)),
        advantages.slice(0, begin, end),
        10.0)
        .backward();
  };
  backward(0, 10);
  const at::Tensor whole = theta.grad().clone();
  theta.mutable_grad() = at::Tensor();
  backward(0, 3);
  backward(3, 4);
  backward(4, 10);
  EXPECT_GT(whole.abs().max().item<double>(), 1e-3);
  EXPECT_LT((whole - theta.grad()).abs().max().item<double>(), 1e-16);
}

TEST(Reinforce, RefusesUnfitInput) {
  const at::Tensor two = at::zeros({2}), three = at::zeros({3});
  EXPECT_THROW(reinforce_loss(two, three, 1.0), CallerError);
  EXPECT_THROW(reinforce_loss(two, two, 0.0), CallerError);
  EXPECT_THROW(reinforce_loss(two, two, NAN), CallerError);
}

}  // namespace
}  // namespace moft
