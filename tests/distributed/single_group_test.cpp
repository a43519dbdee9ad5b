#include "moft/distributed/single_group.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace moft {
namespace {

TEST(SingleGroup, ReturnsWhatItWasGiven) {
  SingleGroup group;
  EXPECT_EQ(group.rank(), 0);
  EXPECT_EQ(group.size(), 1);
  const std::string bytes("a\0b", 3);
  EXPECT_EQ(group.gather(bytes), std::vector<std::string>{bytes});
  EXPECT_EQ(group.broadcast("x"), "x");
  EXPECT_TRUE(group.agree(true));
  EXPECT_FALSE(group.agree(false));
  const BarrierWait wait = group.barrier("start");
  EXPECT_EQ(wait.seconds, 0);
  EXPECT_EQ(wait.last_rank, 0);
}

TEST(SingleGroup, OnePartKeepsItsBits) {
  SingleGroup group;
  std::vector<float> data = {-0.0f, 1.5f};
  group.sum(std::span<float>(data));
  EXPECT_TRUE(std::signbit(data[0]));
  EXPECT_EQ(data[1], 1.5f);
}

TEST(SingleGroup, AddsPartsInTurn) {
  SingleGroup group;
  // In any other order the sum is 0 or 2.
  std::vector<float> a = {1e8f}, b = {1}, c = {-1e8f}, d = {1};
  const std::vector<std::span<float>> parts = {a, b, c, d};
  group.sum(std::span<const std::span<float>>(parts));
  EXPECT_EQ(a[0], 1.0f);
}

}  // namespace
}  // namespace moft
