#include "moft/kernels/elementwise.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/kernels/simd/table.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

const std::int64_t kWidths[] = {1, 7, 16, 64, 576, 579};

at::Tensor norm_in_double(
    const at::Tensor& x, const at::Tensor& gain, double eps) {
  const auto wide = x.to(at::kDouble);
  return wide / (wide * wide).mean(-1, true).add(eps).sqrt() *
         gain.to(at::kDouble);
}

TEST(RmsNorm, MatchesDouble) {
  for (const auto width : kWidths) {
    const auto x = numbers({5, width}, 1) * 4;
    const auto gain = numbers({width}, 2);
    EXPECT_LE(
        distance(rms_norm(x, gain, 1e-5), norm_in_double(x, gain, 1e-5)), 3e-6);
  }
  // [N, heads, d] inside a fused product, as the q/k norms use it.
  const auto fused = numbers({4, 5 * 16}, 3);
  const auto heads = fused.narrow(1, 16, 48).view({4, 3, 16});
  const auto gain = numbers({16}, 4);
  EXPECT_LE(
      distance(rms_norm(heads, gain, 1e-6), norm_in_double(heads, gain, 1e-6)),
      3e-6);
}

TEST(RmsNorm, RefusesAGainOfAnotherWidth) {
  EXPECT_THROW(rms_norm(numbers({2, 3}, 8), numbers({4}, 9), 1), CallerError);
}

TEST(Rotary, TurnsEachPairByItsAngle) {
  for (const std::int64_t half : {1, 4, 16, 32, 37}) {
    const auto angles = numbers({6, half}, 10) * 3;
    const auto fused = numbers({4, 3, 2 * half + 5}, 11);
    const auto x = fused.narrow(2, 2, 2 * half);
    const auto positions = at::tensor({5L, 0L, 3L, 3L}, at::kLong);
    const auto turned = angles.index_select(0, positions).unsqueeze(1);
    const auto c = turned.to(at::kDouble).cos();
    const auto s = turned.to(at::kDouble).sin();
    const auto a = x.narrow(2, 0, half).to(at::kDouble);
    const auto b = x.narrow(2, half, half).to(at::kDouble);
    const auto truth = at::cat({a * c - b * s, b * c + a * s}, 2);
    const auto found = rotary(x, positions, angles.cos(), angles.sin());
    EXPECT_LE(distance(found, truth), 4e-7) << half;
  }
  EXPECT_THROW(
      rotary(
          numbers({1, 1, 4}, 12),
          at::tensor({2L}, at::kLong),
          at::ones({2, 2}),
          at::ones({2, 2})),
      CallerError);
}

TEST(Swiglu, MatchesDouble) {
  for (const auto width : kWidths) {
    const auto fused = numbers({3, 2 * width}, 13) * 20;
    const auto gate = fused.narrow(1, 0, width);
    const auto up = fused.narrow(1, width, width);
    const auto wide = gate.to(at::kDouble);
    const auto truth = wide / (1 + (-wide).exp()) * up.to(at::kDouble);
    // A few roundings of values up to 400.
    EXPECT_LE(distance(gated(GatedUnit::kSwish, gate, up), truth), 1.5e-4);
    const auto small = truth.abs() < 1e-3;
    EXPECT_LE(
        distance(
            gated(GatedUnit::kSwish, gate, up).masked_select(small),
            truth.masked_select(small)),
        1e-9);
  }
  const float big = 1000;
  const auto extreme = at::tensor({big, -big}).view({1, 2});
  const auto result = gated(GatedUnit::kSwish, extreme, at::ones({1, 2}));
  EXPECT_EQ(result[0][0].item<float>(), big);
  EXPECT_EQ(result[0][1].item<float>(), 0);
}

TEST(Geglu, MatchesDouble) {
  for (const std::int64_t width : {1, 7, 64, 1001}) {
    const auto gate = numbers({5, width}, 31) * 6;
    const auto up = numbers({5, width}, 32);
    const auto x = gate.to(at::kDouble);
    const auto inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    const auto truth = 0.5 * x * (1 + at::tanh(inner)) * up.to(at::kDouble);
    const double largest = truth.abs().max().item<double>();
    EXPECT_LE(
        distance(gated(GatedUnit::kGelu, gate, up), truth),
        1e-6 * (1 + largest))
        << width;
  }
  const float big = 1e20f;
  const auto extreme = at::tensor({big, -big}, at::kFloat).view({1, 2});
  const auto result = gated(GatedUnit::kGelu, extreme, at::ones({1, 2}));
  EXPECT_EQ(result[0][0].item<float>(), big);
  EXPECT_EQ(result[0][1].item<float>(), 0);
}

TEST(Elementwise, BitsDependOnTheRowAlone) {
  const auto x = numbers({300, 576}, 14), y = numbers({300, 576}, 15);
  const auto gain = numbers({576}, 16);
  const auto normed = rms_norm(x, gain, 1e-5);
  const auto swish_gated = gated(GatedUnit::kSwish, x, y);
  const auto gelu_gated = gated(GatedUnit::kGelu, x, y);
  const Threads set(3);
  EXPECT_TRUE(at::equal(rms_norm(x, gain, 1e-5), normed));
  EXPECT_TRUE(at::equal(gated(GatedUnit::kSwish, x, y), swish_gated));
  EXPECT_TRUE(at::equal(gated(GatedUnit::kGelu, x, y), gelu_gated));
  EXPECT_TRUE(at::equal(
      rms_norm(x.narrow(0, 123, 1), gain, 1e-5), normed.narrow(0, 123, 1)));
}

// exp through the table: every magnitude, against the C library in double.
TEST(Exponential, IsWithinTwoUlp) {
  double worst = 0;
  for (int i = -1030000; i <= 880000; i += 7) {
    const float x = static_cast<float>(i) * 1e-4f;
    float y = 0;
    simd::table().exponentials(&x, 1, 1.0f, 0.0f, &y);
    const double truth = std::exp(double{x});
    const double ulp = std::max<double>(
        std::nextafter(static_cast<float>(truth), HUGE_VALF) -
            static_cast<float>(truth),
        std::numeric_limits<float>::denorm_min());
    worst = std::max(worst, std::abs(y - truth) / ulp);
  }
  EXPECT_LE(worst, 2.0);
  RecordProperty("worst_ulp", std::to_string(worst));
  const float inputs[] = {-HUGE_VALF, -200.0f, 0.0f, 200.0f, std::nanf("")};
  float outputs[5];
  simd::table().exponentials(inputs, 5, 1.0f, 0.0f, outputs);
  EXPECT_EQ(outputs[0], 0.0f);
  EXPECT_EQ(outputs[1], 0.0f);
  EXPECT_EQ(outputs[2], 1.0f);
  EXPECT_EQ(outputs[3], HUGE_VALF);
  EXPECT_TRUE(std::isnan(outputs[4]));
}

}  // namespace
}  // namespace moft::kernels
