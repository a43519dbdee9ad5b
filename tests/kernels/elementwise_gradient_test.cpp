// Forward bits are the same with gradients; gradients are those that autograd
// finds for the same formulas in double.
#include <functional>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "moft/kernels/elementwise.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

const std::int64_t kWidths[] = {1, 7, 16, 64, 576, 579};

using Inputs = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Inputs&)>;

Inputs gradients_of(const Function& function, Inputs inputs, at::Tensor of_y) {
  for (at::Tensor& input : inputs)
    input = input.detach().clone().requires_grad_();
  return torch::autograd::grad({function(inputs)}, inputs, {of_y});
}

void expect_gradients(
    const Function& function, const Function& exact, const Inputs& inputs) {
  const at::Tensor of_y =
      numbers(function(inputs).sizes(), 40).transpose(0, 1).contiguous();
  const at::Tensor strided = of_y.transpose(0, 1);  // as backward may get it
  const Inputs found = gradients_of(function, inputs, strided);
  Inputs wide = inputs;
  for (at::Tensor& input : wide)
    input = input.to(at::kDouble);
  const Inputs wanted = gradients_of(exact, wide, strided.to(at::kDouble));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double size = wanted[i].abs().max().item<double>();
    EXPECT_LE(distance(found[i], wanted[i]), 3e-6 * (1.0 + size))
        << "input " << i << " of width " << inputs[0].size(-1);
  }
}

TEST(RmsNormGradient, GradientsAreThoseOfTheFormulaInDouble) {
  const auto norm = [](const Inputs& in) {
    return rms_norm(in[0], in[1], 1e-5);
  };
  const auto exact = [](const Inputs& in) {
    const auto scale = (in[0] * in[0]).mean(-1, true).add(1e-5).rsqrt();
    return in[0] * scale * in[1];
  };
  for (const auto width : kWidths) {
    const auto x = numbers({70, width}, 1) * 3;
    const auto gain = numbers({width}, 2);
    expect_gradients(norm, exact, {x, gain});
    const auto tracked = x.clone().requires_grad_();
    EXPECT_TRUE(at::equal(norm({tracked, gain}), norm({x, gain})));
  }
  const auto heads = numbers({9, 3, 16}, 3);
  expect_gradients(norm, exact, {heads, numbers({16}, 4)});
}

TEST(RmsNormGradient, SumsOverRowsHaveOneOrderOnAnyNumberOfThreads) {
  const auto of_gain = [] {
    auto x = numbers({301, 64}, 5);
    auto gain = numbers({64}, 6).requires_grad_();
    return torch::autograd::grad(
        {rms_norm(x, gain, 1e-6)}, {gain}, {numbers({301, 64}, 7)})[0];
  };
  const Threads one(1);
  const auto alone = of_gain();
  const Threads three(3);
  EXPECT_TRUE(at::equal(of_gain(), alone));
}

TEST(GatedGradient, GradientsAreThoseOfTheFormulaInDouble) {
  for (const bool gelu : {false, true}) {
    const auto unit = gelu ? GatedUnit::kGelu : GatedUnit::kSwish;
    const auto unit_of = [&](const Inputs& in) {
      return gated(unit, in[0], in[1]);
    };
    const auto exact = [&](const Inputs& in) {
      return (gelu ? at::gelu(in[0], "tanh") : at::silu(in[0])) * in[1];
    };
    for (const auto width : kWidths) {
      const auto gate = numbers({37, width}, 8) * 6;
      const auto up = numbers({37, width}, 9);
      expect_gradients(unit_of, exact, {gate, up});
      const auto tracked = gate.clone().requires_grad_();
      EXPECT_TRUE(at::equal(unit_of({tracked, up}), unit_of({gate, up})));
    }
  }
}

TEST(GatedGradient, FarFromZeroTheGradientIsThatOfALineOrNothing) {
  for (const auto unit : {GatedUnit::kSwish, GatedUnit::kGelu}) {
    auto gate = at::tensor({-1e4F, -200.0F, 200.0F, 1e4F}).view({1, 4});
    gate.requires_grad_();
    const auto up = at::ones({1, 4});
    const auto of_gate = torch::autograd::grad(
        {gated(unit, gate, up)}, {gate}, {at::ones({1, 4})})[0];
    EXPECT_TRUE(
        at::equal(of_gate, at::tensor({0.F, 0.F, 1.F, 1.F}).view({1, 4})))
        << of_gate;
  }
}

TEST(RotaryGradient, TurnsForwardAndBack) {
  const auto angles = numbers({6, 5}, 10) * 3;
  const auto positions = at::tensor({5L, 0L, 3L, 3L}, at::kLong);
  const auto cosines = angles.cos(), sines = angles.sin();
  const auto turned = [&](const Inputs& in) {
    return rotary(in[0], positions, cosines, sines);
  };
  const auto exact = [&](const Inputs& in) {
    const auto angle = angles.to(at::kDouble).index_select(0, positions);
    const auto cosine = angle.cos().unsqueeze(1);
    const auto sine = angle.sin().unsqueeze(1);
    const auto halves = in[0].chunk(2, -1);
    return at::cat(
        {halves[0] * cosine - halves[1] * sine,
         halves[1] * cosine + halves[0] * sine},
        -1);
  };
  const auto x = numbers({4, 3, 10}, 11);
  const auto before = x.clone();
  expect_gradients(turned, exact, {x});
  EXPECT_LE(distance(turned({x}), exact({x.to(at::kDouble)})), 1e-6);
  EXPECT_TRUE(at::equal(x, before));
}

TEST(ElementwiseGradient, WithoutGradientBuildNoGraph) {
  auto x = numbers({4, 6}, 12).requires_grad_();
  const at::NoGradGuard no_gradient;
  EXPECT_FALSE(rms_norm(x, numbers({6}, 13), 1e-6).requires_grad());
  EXPECT_FALSE(gated(GatedUnit::kGelu, x, x).requires_grad());
}

}  // namespace
}  // namespace moft::kernels
