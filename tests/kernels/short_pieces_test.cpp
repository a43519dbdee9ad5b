// Short pieces against ATen's flash attention, which has other bits.
#include "moft/kernels/short_pieces.h"

#include <gtest/gtest.h>

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr Span kTrunk{1, 5};
constexpr Span kOwn{7, 4};
constexpr std::int64_t kTokens = 12;

TreeTensors tensors_of(std::int64_t size) {
  const std::int64_t heads = 6, kv_heads = 3;
  // Keys and values are not contiguous: they come from one product.
  const at::Tensor kv = numbers({kTokens, kv_heads, 2 * size}, 2);
  return {
      numbers({kTokens, heads, size}, 1),
      kv.narrow(2, 0, size),
      kv.narrow(2, size, size),
      0.4,
      {at::zeros({kTokens, heads, size}), at::zeros({kTokens, heads})}};
}

// [tokens, heads, d] -> [1, 6, length, d].
at::Tensor rows(const at::Tensor& packed, const Span& span) {
  const at::Tensor own = packed.narrow(0, span.begin, span.length);
  const at::Tensor every = own.size(1) == 6 ? own : own.repeat_interleave(2, 1);
  return every.transpose(0, 1).unsqueeze(0);
}

Attended attend_span(const TreeTensors& in, const Span& keys, bool causal) {
  return attend(
      rows(in.q, kOwn),
      rows(in.k, keys),
      rows(in.v, keys),
      {.scale = in.scale, .causal = causal});
}

class ShortPieces : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(ShortPieces, AreAttentionToTrunkAndOwnMerged) {
  const TreeTensors in = tensors_of(GetParam());
  attend_short(in, {kTrunk, kOwn}, {0, 1});
  attend_short(in, {kTrunk, kOwn}, {1, 2});
  const Attended wanted =
      merge(attend_span(in, kTrunk, false), attend_span(in, kOwn, true));
  EXPECT_LE(distance(rows(in.out.y, kOwn), wanted.y), 1e-6);
  EXPECT_LE(
      distance(
          rows(in.out.log_sum.unsqueeze(-1), kOwn).squeeze(-1), wanted.log_sum),
      1e-6);
  // Nothing else is written.
  EXPECT_EQ(in.out.y.narrow(0, 0, kOwn.begin).abs().sum().item<float>(), 0);
  EXPECT_EQ(in.out.y.narrow(0, 11, 1).abs().sum().item<float>(), 0);
}

TEST_P(ShortPieces, AddTheGradientsOfTheMergedAttention) {
  const TreeTensors in = tensors_of(GetParam());
  attend_short(in, {kTrunk, kOwn}, {0, 3});
  const at::Tensor of_y = numbers(in.q.sizes(), 3);
  const TreeGradients of{
      at::zeros(in.q.sizes()), at::ones(in.k.sizes()), at::ones(in.v.sizes())};
  add_short_gradients(in, {kTrunk, kOwn}, {0, 3}, of_y, of);
  const Attended out{
      rows(in.out.y, kOwn),
      rows(in.out.log_sum.unsqueeze(-1), kOwn).squeeze(-1)};
  const auto wanted = [&](const Span& keys, bool causal) {
    return attend_backward(
        rows(in.q, kOwn),
        rows(in.k, keys),
        rows(in.v, keys),
        {.scale = in.scale, .causal = causal},
        out,
        rows(of_y, kOwn));
  };
  const AttentionGradients trunk = wanted(kTrunk, false);
  const AttentionGradients own = wanted(kOwn, true);
  EXPECT_LE(distance(rows(of.q, kOwn), trunk.q + own.q), 2e-6);
  // A key/value head sums over the query heads that read it, on top of what was
  // there.
  const auto expect_added =
      [](const at::Tensor& found, const Span& span, const at::Tensor& by_head) {
        const at::Tensor sums =
            by_head.squeeze(0).unflatten(0, {3, 2}).sum(1).transpose(0, 1);
        EXPECT_LE(
            distance(found.narrow(0, span.begin, span.length), sums + 1), 4e-6);
      };
  expect_added(of.k, kTrunk, trunk.k);
  expect_added(of.v, kTrunk, trunk.v);
  expect_added(of.k, kOwn, own.k);
  expect_added(of.v, kOwn, own.v);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ShortPieces, ::testing::Values(5, 16, 40));

TEST(ShortPiece, IsBoundByItsScores) {
  const TreeTensors in = tensors_of(8);
  EXPECT_TRUE(is_short(in, {{0, 1000}, {1000, 1}}));
  EXPECT_FALSE(is_short(in, {{0, 1000}, {1000, 2}}));
  TreeTensors wide = in;
  wide.q = in.q.to(at::kDouble);
  EXPECT_FALSE(is_short(wide, {kTrunk, kOwn}));
}

}  // namespace
}  // namespace moft::kernels
