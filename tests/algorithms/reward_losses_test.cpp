// Losses of classifiers and reward models against closed forms.
#include "moft/algorithms/reward_losses.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

at::Tensor doubles(
    std::vector<double> values, std::vector<std::int64_t> shape) {
  return at::tensor(values, at::kDouble).view(shape).set_requires_grad(true);
}

double number(const at::Tensor& value) {
  return value.item<double>();
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

TEST(RewardLosses, LabelLossAndItsGradientAreTheClosedForm) {
  const at::Tensor logits = doubles({1.0, -0.5, 0.25, 2.0, 0.0, -1.0}, {2, 3});
  const at::Tensor labels = at::tensor(std::vector<std::int64_t>{2, 0});
  const at::Tensor loss = label_loss(logits, labels);
  double expected = 0.0;
  at::Tensor gradient = at::zeros({2, 3}, at::kDouble);
  const std::int64_t label[] = {2, 0};
  for (std::int64_t row = 0; row < 2; ++row) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < 3; ++i)
      sum += std::exp(number(logits[row][i]));
    expected -= number(logits[row][label[row]]) - std::log(sum);
    for (std::int64_t i = 0; i < 3; ++i) {
      gradient[row][i] = std::exp(number(logits[row][i])) / sum -
                         (i == label[row] ? 1.0 : 0.0);
    }
  }
  EXPECT_NEAR(number(loss), expected, 1e-12);
  loss.backward();
  EXPECT_LT(number((logits.grad() - gradient).abs().max()), 1e-12);
}

// d/dc = -sigmoid(-(c - r - m)) + 2 k (c + r), d/dr the same with +.
TEST(RewardLosses, PreferenceLossAndItsGradientAreTheClosedForm) {
  const at::Tensor scores = doubles({1.5, 0.5, -2.0, 1.0}, {2, 2});
  const at::Tensor margins = at::tensor({0.25, 1.0}, at::kDouble);
  const double k = 0.1;
  const at::Tensor loss = preference_loss(scores, margins, k);
  const double first = 1.5 - 0.5 - 0.25;
  const double second = -2.0 - 1.0 - 1.0;
  EXPECT_NEAR(
      number(loss),
      -std::log(sigmoid(first)) - std::log(sigmoid(second)) +
          k * (2.0 * 2.0 + 1.0 * 1.0),
      1e-12);
  loss.backward();
  const at::Tensor gradient = at::tensor(
      {-sigmoid(-first) + 2 * k * 2.0,
       sigmoid(-first) + 2 * k * 2.0,
       -sigmoid(-second) + 2 * k * -1.0,
       sigmoid(-second) + 2 * k * -1.0},
      at::kDouble);
  EXPECT_LT(number((scores.grad().view({4}) - gradient).abs().max()), 1e-12);
}

TEST(RewardLosses, SquaredErrorAndItsGradientAreTheClosedForm) {
  const at::Tensor outputs = doubles({0.5, -1.0}, {2, 1});
  const at::Tensor targets = at::tensor({1.0, 1.0}, at::kDouble);
  const at::Tensor loss = squared_error_loss(outputs, targets);
  EXPECT_DOUBLE_EQ(number(loss), 0.25 + 4.0);
  loss.backward();
  EXPECT_DOUBLE_EQ(number(outputs.grad()[0][0]), -1.0);
  EXPECT_DOUBLE_EQ(number(outputs.grad()[1][0]), -4.0);
}

TEST(RewardLosses, PartsAddUpToTheWhole) {
  const at::Tensor scores = at::randn({6, 2}, at::kDouble);
  const at::Tensor margins = at::rand({6}, at::kDouble);
  const double whole = number(preference_loss(scores, margins, 0.2));
  const double parts =
      number(preference_loss(
          scores.narrow(0, 0, 2), margins.narrow(0, 0, 2), 0.2)) +
      number(preference_loss(
          scores.narrow(0, 2, 4), margins.narrow(0, 2, 4), 0.2));
  EXPECT_NEAR(parts, whole, 1e-12);
}

TEST(RewardLosses, ShapesThatDoNotFitAreRefused) {
  EXPECT_THROW(
      preference_loss(at::zeros({3, 1}), at::zeros({3}), 0.0), CallerError);
  EXPECT_THROW(
      squared_error_loss(at::zeros({3, 1}), at::zeros({2})), CallerError);
}

TEST(Calibration, IsTheWeightedDistanceOfConfidenceAndShare) {
  // Two of ten bins: (0.8, 0.9] with 1 of 2 right, (0.5, 0.6] with 1 of 1.
  const std::vector<Judgement> judgements{
      {0.88, true}, {0.86, false}, {0.55, true}};
  EXPECT_NEAR(
      calibration_error(judgements, 10),
      (std::abs(0.88 + 0.86 - 1.0) + std::abs(0.55 - 1.0)) / 3.0,
      1e-12);
  EXPECT_NEAR(accuracy(judgements), 2.0 / 3.0, 1e-12);
  EXPECT_EQ(calibration_error({}), 0.0);
  EXPECT_EQ(calibration_error({{1.0, true}, {1.0, true}}), 0.0);
}

}  // namespace
}  // namespace moft
