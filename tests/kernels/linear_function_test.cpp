#include "moft/kernels/linear_function.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

TEST(FrozenLinear, ForwardAndGradientMatchDouble) {
  const auto plain = numbers({37, 20}, 1);
  const auto bias = numbers({37}, 2);
  for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
    const FrozenWeight weight(plain, storage, bias);
    const auto wide = weight.unpack().to(at::kDouble);
    auto x = numbers({2, 11, 20}, 3).requires_grad_();
    const auto dy = numbers({2, 11, 37}, 4);
    const auto before = weight.bytes();
    const auto y = frozen_linear(x, weight);
    EXPECT_EQ(weight.bytes(), before);  // nothing packed before a gradient
    EXPECT_LE(
        distance(
            y.detach(),
            at::linear(x.detach().to(at::kDouble), wide, bias.to(at::kDouble))),
        5e-6);
    const auto dx = torch::autograd::grad({y}, {x}, {dy})[0];
    EXPECT_LE(distance(dx, at::matmul(dy.to(at::kDouble), wide)), 1e-5);
    EXPECT_GT(weight.bytes(), before);
  }
}

TEST(FrozenLinear, OutlivesItsHandle) {
  const auto plain = numbers({5, 3}, 5);
  auto x = numbers({4, 3}, 6).requires_grad_();
  at::Tensor y;
  {
    const FrozenWeight weight(plain);
    y = frozen_linear(x, weight);
  }
  const auto dx = torch::autograd::grad({y.sum()}, {x})[0];
  EXPECT_LE(distance(dx, plain.sum(0).expand({4, 3})), 1e-6);
}

TEST(FrozenLinear, WithoutGradientBuildsNoGraph) {
  const FrozenWeight weight(numbers({5, 3}, 7));
  EXPECT_FALSE(frozen_linear(numbers({4, 3}, 8), weight).requires_grad());
}

TEST(TrainedLinear, IsTheFrozenProductWithAGradientForTheWeight) {
  const auto plain = numbers({37, 20}, 9);
  const FrozenWeight packed(plain);
  auto leaf = plain.clone().requires_grad_();
  const auto values = numbers({11, 20}, 10);
  const auto dy = numbers({11, 37}, 11);
  auto x = values.clone().requires_grad_();
  const auto y = trained_linear(x, leaf, packed);
  EXPECT_TRUE(at::equal(y.detach(), frozen_linear(values, packed)));
  const auto gradients = torch::autograd::grad({y}, {x, leaf}, {dy});
  const auto exact = dy.to(at::kDouble);
  EXPECT_LE(distance(gradients[0], at::mm(exact, plain.to(at::kDouble))), 1e-5);
  EXPECT_LE(
      distance(gradients[1], at::mm(exact.t(), values.to(at::kDouble))), 1e-5);
  // Inputs that need no gradient get none; the weight still does.
  const auto z = trained_linear(values, leaf, packed);
  EXPECT_TRUE(
      at::equal(torch::autograd::grad({z}, {leaf}, {dy})[0], gradients[1]));
}

}  // namespace
}  // namespace moft::kernels
