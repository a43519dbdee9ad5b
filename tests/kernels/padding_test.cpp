// Padded layouts against their definition, and that they lose nothing.
#include "moft/kernels/padding.h"

#include <limits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

using Places = std::vector<std::int64_t>;

TEST(TokenPlaces, FollowLengthsAndMembers) {
  const auto packed = places_of_lengths({2, 0, 3});
  EXPECT_EQ(packed.sequence, (Places{0, 0, 2, 2, 2}));
  EXPECT_EQ(packed.place, (Places{0, 1, 0, 1, 2}));
  const auto mixed = places_of_members({1, 0, 1, 3, 0, 1});
  EXPECT_EQ(mixed.sequence, (Places{1, 0, 1, 3, 0, 1}));
  EXPECT_EQ(mixed.place, (Places{0, 0, 1, 0, 1, 2}));
}

TEST(Padding, SpreadsEveryTokenToItsPlaceAndGathersItAgain) {
  const TokenPlaces tokens = places_of_members({1, 0, 1, 3, 0, 1});
  const Padding padding(tokens, 5, at::kCPU);
  EXPECT_EQ(padding.longest(), 3);
  const auto packed = numbers({6, 2, 4}, 1).requires_grad_();
  const auto full = padding.spread(packed);
  ASSERT_EQ(full.sizes(), (at::IntArrayRef{5, 2, 3, 4}));
  auto wanted = at::zeros({5, 2, 3, 4});
  const auto key_mask = padding.key_mask();
  auto wanted_mask =
      at::full({5, 1, 1, 3}, -std::numeric_limits<float>::infinity());
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto s = tokens.sequence[static_cast<std::size_t>(i)];
    const auto t = tokens.place[static_cast<std::size_t>(i)];
    wanted.select(0, s).select(1, t).copy_(packed.detach().select(0, i));
    wanted_mask.select(0, s).select(2, t).zero_();
  }
  EXPECT_TRUE(at::equal(full.detach(), wanted));
  EXPECT_TRUE(at::equal(key_mask, wanted_mask));
  const auto back = padding.gather(full);
  EXPECT_TRUE(at::equal(back.detach(), packed.detach().view({6, 8})));
  const auto of_back = numbers({6, 8}, 2);
  const auto gradient = torch::autograd::grad({back}, {packed}, {of_back})[0];
  EXPECT_TRUE(at::equal(gradient, of_back.view({6, 2, 4})));
}

// Without padding nothing is copied; tokens out of order are no such case.
TEST(Padding, CopiesNothingWhereNothingIsPadded) {
  const auto packed = numbers({6, 2, 4}, 3);
  const Padding full(places_of_lengths({3, 3}), 2, at::kCPU);
  EXPECT_EQ(full.spread(packed).data_ptr(), packed.data_ptr());
  const Padding mixed(places_of_members({1, 0, 1, 0, 0, 1}), 2, at::kCPU);
  const auto spread = mixed.spread(packed);
  EXPECT_TRUE(at::equal(spread.select(0, 0).select(1, 0), packed.select(0, 1)));
  EXPECT_TRUE(at::equal(mixed.gather(spread), packed.view({6, 8})));
}

}  // namespace
}  // namespace moft::kernels
