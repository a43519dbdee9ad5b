#include "moft/algorithms/reinforce.h"

#include <gtest/gtest.h>

#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

at::Tensor labels(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

TEST(TokenSums, PaddedAndPackedAgreeAndPaddingIsNeverRead) {
  const at::Tensor lengths = labels({2, 0, 3});
  at::Tensor padded = at::full({3, 3}, NAN, at::kFloat);
  const std::vector<float> values = {1, 2, 4, 8, 16};
  padded[0][0] = 1;
  padded[0][1] = 2;
  for (int t = 0; t < 3; ++t)
    padded[2][t] = values[2 + t];
  at::Tensor packed = at::tensor(values, at::kFloat);
  padded.requires_grad_();
  packed.requires_grad_();
  const at::Tensor expected = at::tensor({3.0, 0.0, 28.0}, at::kDouble);
  const at::Tensor by_pad = sum_padded(padded, lengths);
  const at::Tensor by_pack = sum_packed(packed, lengths);
  EXPECT_TRUE(by_pad.equal(expected));
  EXPECT_TRUE(by_pack.equal(expected));
  const at::Tensor weights = at::tensor({2.0, 3.0, 5.0}, at::kDouble);
  by_pad.dot(weights).backward();
  by_pack.dot(weights).backward();
  EXPECT_TRUE(packed.grad().equal(
      at::tensor(std::vector<float>{2, 2, 5, 5, 5}, at::kFloat)));
  EXPECT_TRUE(padded.grad().equal(
      at::tensor(std::vector<float>{2, 2, 0, 0, 0, 0, 5, 5, 5}, at::kFloat)
          .view({3, 3})));
}

TEST(TokenSums, SuffixSumsStopAtTheEnd) {
  at::Tensor values =
      at::tensor(std::vector<double>{1, 2, NAN, 4, 8, 16}, at::kDouble)
          .view({2, 3});
  EXPECT_TRUE(
      suffix_sums(values, labels({2, 3}))
          .equal(
              at::tensor(std::vector<double>{3, 2, 0, 28, 24, 16}, at::kDouble)
                  .view({2, 3})));
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
  EXPECT_THROW(sum_padded(padded, labels({4, 1})), CallerError);
  EXPECT_THROW(sum_padded(padded, labels({-1, 1})), CallerError);
  EXPECT_THROW(sum_padded(padded, labels({1})), CallerError);
  EXPECT_THROW(sum_padded(padded, at::zeros({2})), CallerError);
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

// The token loss with one advantage per sequence is the sequence loss.
TEST(Reinforce, TokenLossWithEqualAdvantagesIsTheSequenceLoss) {
  const at::Tensor tokens = -at::arange(1, 7, at::kDouble).view({2, 3});
  const at::Tensor lengths = labels({2, 3});
  const at::Tensor advantages = at::tensor({2.0, -1.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(
      reinforce_token_loss(
          tokens, advantages.unsqueeze(1).expand({2, 3}), lengths, 2.0)
          .item<double>(),
      reinforce_loss(sum_padded(tokens, lengths), advantages, 2.0)
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
