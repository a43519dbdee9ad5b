// Sums whose order and rounding are known.
#include "moft/conditioning/gradient_sum.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/support/tensors.h"

namespace moft {
namespace {

at::Tensor of(double value, std::int64_t size = 3) {
  return at::full({size}, value, at::kFloat);
}

// 2^-24 is half of the last place of 1: two of them reach it together, and one
// after the other neither does.
TEST(GradientSum, ASliceIsSummedByItselfAndThenAdded) {
  const double half = std::ldexp(1.0, -24);
  GradientSum one_by_one;
  one_by_one.add(of(1.0));
  one_by_one.add(of(half));
  one_by_one.add(of(half));
  EXPECT_TRUE(test::same_bits(one_by_one.value(), of(1.0)));
  GradientSum slices;
  slices.add(of(1.0));
  slices.end_slice();
  slices.add(of(half));
  slices.add(of(half));
  const at::Tensor wanted = of(1.0 + 2 * half);
  EXPECT_TRUE(test::same_bits(slices.value(), wanted));
  slices.end_slice();
  EXPECT_TRUE(test::same_bits(slices.value(), wanted));
}

// (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, whose last term a fused sum would keep,
// whatever the element's place.
TEST(GradientSum, AProductIsRoundedBeforeItIsAdded) {
  const double factor = 1.0 + std::ldexp(1.0, -12);
  const double rounded = 1.0 + std::ldexp(1.0, -11);
  for (const std::int64_t size : {1, 3, 8, 17, 64, 1000}) {
    GradientSum sum;
    sum.add(of(-rounded, size));
    sum.add(of(factor, size), factor);
    EXPECT_TRUE(test::same_bits(sum.value(), of(0.0, size))) << size;
  }
}

TEST(GradientSum, TheFirstOfASliceIsTakenOverAndTheSumIsLive) {
  GradientSum sum;
  EXPECT_FALSE(sum.defined());
  EXPECT_FALSE(sum.value().defined());
  sum.end_slice();
  EXPECT_FALSE(sum.defined());
  const at::Tensor first = of(2.0);
  sum.add(first);
  EXPECT_TRUE(sum.value().is_same(first));
  sum.end_slice();
  sum.add(of(3.0));
  sum.end_slice();
  EXPECT_TRUE(sum.value().is_same(first));
  EXPECT_TRUE(test::same_bits(first, of(5.0)));
  const GradientSum twice = sum.times(2.0);
  EXPECT_TRUE(test::same_bits(twice.value(), of(10.0)));
  EXPECT_TRUE(test::same_bits(first, of(5.0)));
}

}  // namespace
}  // namespace moft
