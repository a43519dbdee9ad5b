// The way of other devices, on the CPU, against the CPU's own way.
#include "moft/kernels/attention_aten.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/kernels/paged_support.h"

namespace moft::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

at::Tensor decode_attention_aten(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt) {
  return paged_attention_aten(
      q, in_pages(keys, values), one_each(slots, lengths), scale, bias);
}

struct Case {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t d;
};

const Case kCases[] = {{9, 3, 64}, {4, 4, 32}, {2, 1, 20}};

// Entries beyond a row's length are never read: here they are NaN.
TEST(AttentionAten, DecodesAsRowsDo) {
  for (const auto [heads, kv_heads, d] : kCases) {
    auto keys = numbers({3, kv_heads, 50, d}, 1) * 3;
    auto values = numbers({3, kv_heads, 50, d}, 2);
    for (const auto& buffer : {keys, values}) {
      buffer.select(0, 0).narrow(1, 33, 17).fill_(std::nanf(""));
      buffer.select(0, 2).narrow(1, 17, 33).fill_(kInf);
    }
    const auto q = numbers({4, heads, d}, 3) * 3;
    const auto slots = indices({2, 1, 2, 0});
    const auto lengths = indices({1, 50, 17, 33});
    const double scale = 1 / std::sqrt(d);
    const auto got =
        decode_attention_aten(q, keys, values, slots, lengths, scale);
    const auto wanted =
        decode_attention(q, keys, values, slots, lengths, scale);
    EXPECT_LE(distance(got, wanted), 4e-6);

    const auto bias = numbers({3, heads, 60}, 24).narrow(2, 5, 50) * 3;
    for (const auto& tables : {indices({1, 0, 2, 1}), at::Tensor()}) {
      const ScoreBias own{bias, tables};
      EXPECT_LE(
          distance(
              decode_attention_aten(q, keys, values, slots, lengths, 0.5, own),
              decode_attention(q, keys, values, slots, lengths, 0.5, own)),
          4e-6);
    }
    // A bias as long as the longest row, not as the buffer.
    const ScoreBias shorter{bias.narrow(2, 0, 33), {}};
    const auto near = indices({1, 33, 17, 33});
    EXPECT_LE(
        distance(
            decode_attention_aten(q, keys, values, slots, near, 0.5, shorter),
            decode_attention(q, keys, values, slots, near, 0.5, shorter)),
        4e-6);
  }
}

// Four sequences (one empty), some after entries that were there before.
TEST(AttentionAten, PrefillsAsRowsDo) {
  for (const auto [heads, kv_heads, d] : kCases) {
    const auto q = numbers({12, heads, d}, 4) * 2;
    auto keys = numbers({5, kv_heads, 30, d}, 5) * 2;
    auto values = numbers({5, kv_heads, 30, d}, 6);
    keys[4].narrow(1, 5, 25).fill_(std::nanf(""));
    values[4].narrow(1, 5, 25).fill_(kInf);
    const auto pages = in_pages(keys, values);
    for (const auto& lengths :
         {indices({5, 1, 3, 6}), indices({5, 18, 9, 30})}) {
      const PagedQueries queries{
          indices({4, 0, 3, 1}), lengths, indices({0, 5, 6, 6, 12}), 30};
      const auto wanted = paged_attention(q, pages, queries, 0.3);
      const auto got = paged_attention_aten(q, pages, queries, 0.3);
      EXPECT_EQ(got.sizes(), wanted.sizes());
      EXPECT_LE(distance(got, wanted), 4e-6);
    }
  }
}

TEST(AttentionAten, StoresTheSameEntries) {
  const auto keys = numbers({2, 3, 40, 8}, 8);
  const auto values = numbers({2, 3, 40, 8}, 9);
  const auto k = numbers({3, 3, 8}, 10), v = numbers({3, 3, 8}, 11);
  const auto slots = indices({1, 0, 1}), positions = indices({39, 16, 0});
  const auto wanted = in_pages(keys, values), got = in_pages(keys, values);
  store_entries(wanted, k, v, slots, positions);
  store_entries_aten(got, k, v, slots, positions);
  EXPECT_TRUE(at::equal(got.keys, wanted.keys));
  EXPECT_TRUE(at::equal(got.values, wanted.values));
}

}  // namespace
}  // namespace moft::kernels
