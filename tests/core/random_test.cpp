#include "moft/core/random.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

namespace moft {
namespace {

// Known-answer vectors of Random123's kat_vectors file (philox4x32, 10 rounds).
TEST(Philox, MatchesThePublishedVectors) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(
      philox4x32({0, 0, 0, 0}, {0, 0}),
      (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(
      philox4x32({ones, ones, ones, ones}, {ones, ones}),
      (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      philox4x32(
          {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
          {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, SameKeySameNumbersOtherKeyOthers) {
  std::set<std::uint64_t> firsts;
  for (std::uint32_t step = 0; step < 8; ++step) {
    for (std::uint32_t row = 0; row < 8; ++row) {
      RandomStream a(7, Purpose::kToken, step, row);
      RandomStream b(7, Purpose::kToken, step, row);
      const auto first = a.next_u64();
      EXPECT_EQ(first, b.next_u64());
      firsts.insert(first);
      firsts.insert(RandomStream(8, Purpose::kToken, step, row).next_u64());
      firsts.insert(RandomStream(7, Purpose::kTest, step, row).next_u64());
    }
  }
  EXPECT_EQ(firsts.size(), 3u * 64u);
}

// Mean and variance of n draws within five standard errors.
TEST(RandomStream, MomentsOfTheDistributions) {
  constexpr int n = 200000;
  RandomStream stream(1, Purpose::kTest);
  double uniform = 0, normal = 0, normal2 = 0, gamma = 0, small = 0;
  for (int i = 0; i < n; ++i) {
    uniform += stream.uniform();
    const double x = stream.normal();
    normal += x;
    normal2 += x * x;
    gamma += std::exp(stream.log_gamma(2.5));
    small += std::exp(stream.log_gamma(0.3));
  }
  const double root = std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(uniform / n, 0.5, 5 * std::sqrt(1.0 / 12) / root);
  EXPECT_NEAR(normal / n, 0.0, 5 / root);
  EXPECT_NEAR(normal2 / n, 1.0, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(gamma / n, 2.5, 5 * std::sqrt(2.5) / root);
  EXPECT_NEAR(small / n, 0.3, 5 * std::sqrt(0.3) / root);
}

TEST(RandomStream, BelowIsUniform) {
  RandomStream stream(3, Purpose::kTest);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i)
    ++counts[stream.below(7)];
  for (const int count : counts)
    EXPECT_NEAR(count, 10000, 5 * 93);
}

}  // namespace
}  // namespace moft
