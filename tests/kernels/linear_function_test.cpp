#include "moft/kernels/linear_function.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

TEST(FrozenLinear, ForwardAndGradientMatchDouble) {
  const auto plain = numbers({37, 20}, 1);
  for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
    const FrozenWeight weight(plain, storage);
    const auto wide = weight.forward().unpack().to(at::kDouble);
    auto x = numbers({2, 11, 20}, 3).requires_grad_();
    const auto dy = numbers({2, 11, 37}, 4);
    // What enters a product, as it enters it.
    const auto entering = [&](const at::Tensor& t) {
      const bool rounds = rounds_inputs(storage);
      return (rounds ? t.to(at::kBFloat16) : t).detach().to(at::kDouble);
    };
    const auto before = weight.bytes();
    const auto y = frozen_linear(x, weight);
    EXPECT_EQ(weight.bytes(), before);  // nothing packed before a gradient
    EXPECT_LE(distance(y.detach(), at::linear(entering(x), wide)), 5e-6);
    const auto dx = torch::autograd::grad({y}, {x}, {dy})[0];
    EXPECT_LE(distance(dx, at::matmul(entering(dy), wide)), 1e-5);
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

// Factors rounded as the forward product rounds them; the weight's gradient is
// rounded once more where it comes out of a bf16 product.
TEST(TrainedLinear, GradientsOfBf16ProductsAreThoseOfTheRoundedFactors) {
  const auto plain = numbers({37, 20}, 30);
  const FrozenWeight packed(plain, Storage::kBFloat16);
  auto x = numbers({11, 20}, 31).requires_grad_();
  auto leaf = plain.clone().requires_grad_();
  const auto dy = numbers({11, 37}, 32);
  const auto y = trained_linear(x, leaf, packed);
  EXPECT_TRUE(at::equal(y.detach(), frozen_linear(x.detach(), packed)));
  const auto gradients = torch::autograd::grad({y}, {x, leaf}, {dy});
  const bool rounds = rounds_inputs(Storage::kBFloat16);
  const auto factor = [&](const at::Tensor& t) {
    return (rounds ? t.to(at::kBFloat16) : t).detach().to(at::kDouble);
  };
  EXPECT_LE(distance(gradients[0], at::mm(factor(dy), factor(plain))), 1e-5);
  const auto of_leaf = at::mm(factor(dy).t(), factor(x));
  const double half_ulp = rounds ? of_leaf.abs().max().item<double>() / 256 : 0;
  EXPECT_LE(distance(gradients[1], of_leaf), half_ulp + 1e-5);
}

TEST(AdaptedLinear, ForwardAndGradientsMatchDouble) {
  const auto plain = numbers({37, 20}, 20);
  const FrozenWeight weight(plain);
  auto down = numbers({6, 20}, 22).requires_grad_();
  auto up = numbers({6, 37}, 23).requires_grad_();
  constexpr double kScale = 0.5;
  const RowAdapter adapter{
      .down = down,
      .up = up,
      .coefficients = numbers({11, 6}, 24).abs(),
      .scale = kScale,
      .packed_down = FrozenWeight(down.detach()),
      .packed_up = FrozenWeight(up.detach().t() * kScale)};
  auto x = numbers({11, 20}, 25).requires_grad_();
  const auto dy = numbers({37, 11}, 26).t();  // a strided gradient
  const auto y = adapted_linear(x, weight, adapter);

  const auto wide = [](const at::Tensor& t) {
    return t.detach().to(at::kDouble).requires_grad_();
  };
  const auto x64 = wide(x), down64 = wide(down), up64 = wide(up);
  const auto low =
      at::mm(x64, down64.t()) * adapter.coefficients.to(at::kDouble);
  const auto exact =
      at::linear(x64, plain.to(at::kDouble)) + kScale * at::mm(low, up64);
  EXPECT_LE(distance(y.detach(), exact.detach()), 5e-6);
  const auto found = torch::autograd::grad({y}, {x, down, up}, {dy});
  const auto wanted =
      torch::autograd::grad({exact}, {x64, down64, up64}, {dy.to(at::kDouble)});
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_LE(distance(found[i], wanted[i]), 2e-5) << "input " << i;

  // Rows alone, and without gradient, have the same bits.
  const at::NoGradGuard no_gradient;
  RowAdapter row = adapter;
  row.coefficients = adapter.coefficients.narrow(0, 4, 1);
  EXPECT_TRUE(at::equal(
      adapted_linear(x.narrow(0, 4, 1), weight, row), y.narrow(0, 4, 1)));
}

TEST(MultiplyAdd, ContinuesTheChainsOfItsTarget) {
  for (const std::int64_t rows : {1, 5, 200}) {
    const auto x = numbers({rows, 900}, 30), w = numbers({37, 900}, 31);
    const auto start = numbers({rows, 37}, 32);
    auto sum = start.clone();
    multiply_add(sum, x, PackedMatrix(w));
    const auto exact = start.to(at::kDouble) +
                       at::mm(x.to(at::kDouble), w.to(at::kDouble).t());
    EXPECT_LE(distance(sum, exact), 1e-4);  // chains of 900
  }
  auto wrong = numbers({3, 4}, 33);
  EXPECT_THROW(
      multiply_add(
          wrong, numbers({3, 5}, 34), PackedMatrix(numbers({6, 5}, 35))),
      CallerError);
}

}  // namespace
}  // namespace moft::kernels
