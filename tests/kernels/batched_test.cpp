// The ways of other devices, on the CPU, against the CPU's own way.
#include "moft/kernels/batched.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

at::Tensor indices(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kLong);
}

struct Case {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t d;
};

const Case kCases[] = {{9, 3, 64}, {4, 4, 32}, {2, 1, 20}};

// Entries beyond a row's length are never read: here they are NaN.
TEST(BatchedAttention, DecodesAsRowsDo) {
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
        decode_attention_batched(q, keys, values, slots, lengths, scale);
    const auto wanted =
        decode_attention(q, keys, values, slots, lengths, scale);
    EXPECT_LE(distance(got, wanted), 4e-6);

    const auto bias = numbers({3, heads, 60}, 24).narrow(2, 5, 50) * 3;
    for (const auto& tables : {indices({1, 0, 2, 1}), at::Tensor()}) {
      const ScoreBias own{bias, tables};
      EXPECT_LE(
          distance(
              decode_attention_batched(
                  q, keys, values, slots, lengths, 0.5, own),
              decode_attention(q, keys, values, slots, lengths, 0.5, own)),
          4e-6);
    }
    // A bias as long as the longest row, not as the buffer.
    const ScoreBias shorter{bias.narrow(2, 0, 33), {}};
    const auto near = indices({1, 33, 17, 33});
    EXPECT_LE(
        distance(
            decode_attention_batched(
                q, keys, values, slots, near, 0.5, shorter),
            decode_attention(q, keys, values, slots, near, 0.5, shorter)),
        4e-6);
  }
}

TEST(BatchedAttention, PrefillsAsRowsDo) {
  for (const auto [heads, kv_heads, d] : kCases) {
    const auto q = numbers({12, heads, d}, 4) * 2;
    const auto k = numbers({12, kv_heads, d}, 5) * 2;
    const auto v = numbers({12, kv_heads, d}, 6);
    const TokenPlaces tokens{
        {0, 0, 0, 0, 0, 1, 3, 3, 3, 3, 3, 3},
        {0, 1, 2, 3, 4, 0, 0, 1, 2, 3, 4, 5}};
    const auto wanted =
        prefill_attention(q, k, v, indices({0, 5, 6, 6, 12}), 0.3);
    const auto got = prefill_attention_batched(q, k, v, tokens, 0.3);
    EXPECT_EQ(got.sizes(), wanted.sizes());
    EXPECT_LE(distance(got, wanted), 4e-6);
  }
}

// Marks that no rounding can move across a border between tokens.
TEST(BatchedSampling, DrawsAsRowsDo) {
  const auto logits = numbers({64, 5000}, 7) * 6;
  std::vector<double> uniforms;
  for (int i = 0; i < 64; ++i)
    uniforms.push_back((i + 0.37) / 64);
  for (const SampleOptions& options :
       {SampleOptions{},
        SampleOptions{.temperature = 0.3},
        SampleOptions{.temperature = 1.7},
        SampleOptions{.greedy = true}}) {
    ASSERT_TRUE(can_sample_batched(options, 5000));
    const auto wanted = sample_rows(logits, options, uniforms);
    const auto got = sample_rows_batched(logits, options, uniforms);
    EXPECT_TRUE(at::equal(got.ids, wanted.ids));
    EXPECT_LE(distance(got.log_probs, wanted.log_probs), 5e-6);
  }
  EXPECT_FALSE(can_sample_batched({.top_k = 3}, 5000));
  EXPECT_FALSE(can_sample_batched({.top_p = 0.9}, 5000));
  EXPECT_TRUE(can_sample_batched({.top_k = 5000, .top_p = 1.0}, 5000));
}

TEST(BatchedSampling, NeverPicksAForbiddenTokenAndRefusesBrokenLogits) {
  auto row = at::full({1, 3000}, -kInf);
  row[0][7] = 1.0f;
  row[0][2500] = 1.0f;
  for (const double u : {0.0, 0.4999, 0.5001, std::nextafter(1.0, 0.0)}) {
    const std::vector<double> uniforms{u};
    const auto id =
        sample_rows_batched(row, {}, uniforms).ids.item<std::int64_t>();
    EXPECT_EQ(id, u < 0.5 ? 7 : 2500);
  }
  const std::vector<double> half{0.5};
  for (const float bad : {std::nanf(""), kInf}) {
    auto broken = at::zeros({1, 70});
    broken[0][40] = bad;
    EXPECT_THROW(sample_rows_batched(broken, {}, half), WorldError);
  }
  EXPECT_THROW(
      sample_rows_batched(at::full({1, 9}, -kInf), {}, half), WorldError);
}

}  // namespace
}  // namespace moft::kernels
