#include "moft/kernels/attention.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/kernels/paged_support.h"

namespace moft::kernels {
namespace {

// One query row in double: q [heads, d], keys and values [kv_heads, L, d].
at::Tensor attend(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    double scale) {
  const auto group = q.size(0) / keys.size(0);
  std::vector<at::Tensor> heads;
  for (std::int64_t h = 0; h < q.size(0); ++h) {
    const auto k = keys[h / group].to(at::kDouble);
    const auto v = values[h / group].to(at::kDouble);
    const auto p = at::softmax(at::mv(k, q[h].to(at::kDouble)) * scale, 0);
    heads.push_back(at::mv(v.t(), p));
  }
  return at::stack(heads);
}

struct Case {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t d;
};

const Case kCases[] = {{9, 3, 64}, {4, 4, 32}, {2, 1, 20}, {2, 2, 128}};

// Relative positions: a bias per head, one table of them per row.
TEST(DecodeAttention, AddsTheBiasOfTheRowsTable) {
  for (const Case& shape : kCases) {
    const std::int64_t heads = shape.heads, kv_heads = shape.kv_heads;
    const std::int64_t d = shape.d;
    const auto keys = numbers({2, kv_heads, 20, d}, 21);
    const auto values = numbers({2, kv_heads, 20, d}, 22);
    const auto q = numbers({3, heads, d}, 23);
    // A view that begins in the middle, as decoding hands over.
    const auto bias = numbers({2, heads, 50}, 24).narrow(2, 13, 20) * 3;
    const auto slots = indices({1, 0, 1});
    const auto lengths = indices({20, 7, 1});
    const auto tables = indices({1, 0, 1});
    const auto out = decode_attention(
        q, keys, values, slots, lengths, 0.5, ScoreBias{bias, tables});
    const auto first = decode_attention(
        q, keys, values, slots, lengths, 0.5, ScoreBias{bias, {}});
    const auto zero = decode_attention(
        q,
        keys,
        values,
        slots,
        lengths,
        0.5,
        ScoreBias{at::zeros_like(bias), tables});
    EXPECT_TRUE(at::equal(
        zero, decode_attention(q, keys, values, slots, lengths, 0.5)));
    for (std::int64_t row = 0; row < 3; ++row) {
      const auto slot = slots[row].item<std::int64_t>();
      const auto n = lengths[row].item<std::int64_t>();
      const auto truth = [&](std::int64_t table) {
        std::vector<at::Tensor> result;
        for (std::int64_t h = 0; h < heads; ++h) {
          const auto g = h / (heads / kv_heads);
          const auto k = keys[slot][g].narrow(0, 0, n).to(at::kDouble);
          const auto v = values[slot][g].narrow(0, 0, n).to(at::kDouble);
          const auto b = bias[table][h].narrow(0, 20 - n, n).to(at::kDouble);
          const auto scores = at::mv(k, q[row][h].to(at::kDouble)) * 0.5 + b;
          result.push_back(at::mv(v.t(), at::softmax(scores, 0)));
        }
        return at::stack(result);
      };
      const auto table = tables[row].item<std::int64_t>();
      EXPECT_LE(distance(out[row], truth(table)), 4e-6) << row;
      EXPECT_LE(distance(first[row], truth(0)), 4e-6) << row;
    }
    EXPECT_THROW(
        decode_attention(
            q,
            keys,
            values,
            slots,
            lengths,
            0.5,
            ScoreBias{bias.narrow(2, 0, 19), tables}),
        CallerError);
    EXPECT_THROW(
        decode_attention(
            q,
            keys,
            values,
            slots,
            lengths,
            0.5,
            ScoreBias{bias, indices({0, 2, 0})}),
        CallerError);
  }
}

TEST(DecodeAttention, MatchesDouble) {
  for (const auto [heads, kv_heads, d] : kCases) {
    const auto keys = numbers({3, kv_heads, 50, d}, 1) * 3;
    const auto values = numbers({3, kv_heads, 50, d}, 2);
    const auto q = numbers({4, heads, d}, 3) * 3;
    const auto slots = indices({2, 0, 2, 1});
    const auto lengths = indices({1, 50, 17, 33});
    const double scale = 1 / std::sqrt(d);
    const auto out = decode_attention(q, keys, values, slots, lengths, scale);
    for (std::int64_t row = 0; row < 4; ++row) {
      const auto slot = slots[row].item<std::int64_t>();
      const auto n = lengths[row].item<std::int64_t>();
      const auto truth = attend(
          q[row],
          keys[slot].narrow(1, 0, n),
          values[slot].narrow(1, 0, n),
          scale);
      EXPECT_LE(distance(out[row], truth), 4e-6) << row << " d " << d;
    }
  }
}

TEST(DecodeAttention, BitsDependOnTheRowAlone) {
  const auto keys = numbers({5, 3, 200, 64}, 4);
  const auto values = numbers({5, 3, 200, 64}, 5);
  const auto q = numbers({5, 9, 64}, 6);
  const auto slots = indices({0, 1, 2, 3, 4});
  const auto lengths = indices({200, 1, 77, 128, 9});
  const auto all = decode_attention(q, keys, values, slots, lengths, 0.125);
  for (const int threads : {1, 2, 3}) {
    const Threads set(threads);
    for (std::int64_t row = 0; row < 5; ++row) {
      EXPECT_TRUE(at::equal(
          decode_attention(
              q.narrow(0, row, 1),
              keys,
              values,
              slots.narrow(0, row, 1),
              lengths.narrow(0, row, 1),
              0.125),
          all.narrow(0, row, 1)));
    }
  }
}

// The page size is not seen in the bits.
TEST(DecodeAttention, BitsDoNotDependOnThePages) {
  const auto keys = numbers({3, 3, 200, 64}, 4);
  const auto values = numbers({3, 3, 200, 64}, 5);
  const auto q = numbers({3, 9, 64}, 6);
  const auto queries = one_each(indices({2, 0, 1}), indices({200, 65, 7}));
  const auto whole =
      paged_attention(q, in_pages(keys, values, 200), queries, 0.125);
  for (const std::int64_t size : {1, 7, 64}) {
    EXPECT_TRUE(at::equal(
        paged_attention(q, in_pages(keys, values, size), queries, 0.125),
        whole))
        << size;
  }
}

// Three sequences (one empty), with and without entries before them, against
// the decode of the same tokens: the same bits, by contract.
TEST(PrefillAttention, HasTheBitsOfDecode) {
  for (const auto [heads, kv_heads, d] : kCases) {
    const auto fused = numbers({16, (heads + 2 * kv_heads) * d}, 7);
    const auto part = [&, h = heads, kv = kv_heads, w = d](
                          std::int64_t first, std::int64_t count) {
      (void)h, (void)kv;
      return fused.narrow(1, first * w, count * w).view({16, count, w});
    };
    const auto q = part(0, heads), k = part(heads, kv_heads),
               v = part(heads + kv_heads, kv_heads);
    const auto pages = in_pages(
        numbers({3, kv_heads, 40, d}, 8), numbers({3, kv_heads, 40, d}, 9));
    const auto offsets = indices({0, 9, 9, 16});
    for (const bool with_prefix : {false, true}) {
      const std::vector<std::int64_t> before =
          with_prefix ? std::vector<std::int64_t>{13, 4, 0}
                      : std::vector<std::int64_t>{0, 0, 0};
      std::vector<std::int64_t> slots, positions, lengths;
      for (std::int64_t t = 0; t < 16; ++t) {
        const std::int64_t s = t < 9 ? 0 : 2;
        slots.push_back(s);
        positions.push_back(before[s] + t - (s == 0 ? 0 : 9));
        lengths.push_back(positions.back() + 1);
      }
      store_entries(pages, k, v, indices(slots), indices(positions));
      const PagedQueries many{
          indices({0, 1, 2}),
          indices({before[0] + 9, before[1], before[2] + 7}),
          offsets,
          40};
      EXPECT_TRUE(at::equal(
          paged_attention(q, pages, many, 0.2),
          paged_attention(
              q, pages, one_each(indices(slots), indices(lengths)), 0.2)))
          << "d " << d << " prefix " << with_prefix;
    }
  }
}

// What is stored is where the table says, and nothing else is touched.
TEST(StoreEntries, WritesTheNamedEntries) {
  auto keys = numbers({2, 3, 40, 8}, 8);
  auto values = numbers({2, 3, 40, 8}, 9);
  const auto pages = in_pages(keys, values);
  const auto k = numbers({3, 3, 8}, 10), v = numbers({3, 3, 8}, 11);
  store_entries(pages, k, v, indices({1, 0, 1}), indices({39, 16, 0}));
  const std::int64_t slots[] = {1, 0, 1}, places[] = {39, 16, 0};
  for (int i = 0; i < 3; ++i) {
    keys[slots[i]].select(1, places[i]).copy_(k[i]);
    values[slots[i]].select(1, places[i]).copy_(v[i]);
  }
  const auto wanted = in_pages(keys, values);
  EXPECT_TRUE(at::equal(pages.keys, wanted.keys));
  EXPECT_TRUE(at::equal(pages.values, wanted.values));
}

TEST(Attention, RefusesWhatIsOutOfRange) {
  const auto keys = numbers({2, 1, 5, 8}, 10);
  const auto q = numbers({1, 2, 8}, 11);
  const auto pages = in_pages(keys, keys, 5);
  const auto attend_at = [&](std::int64_t slot, std::int64_t length) {
    return paged_attention(
        q, pages, one_each(indices({slot}), indices({length})), 1.0);
  };
  EXPECT_NO_THROW(attend_at(1, 5));
  EXPECT_THROW(attend_at(2, 5), CallerError);
  EXPECT_THROW(attend_at(-1, 5), CallerError);
  EXPECT_THROW(attend_at(0, 6), CallerError);
  EXPECT_THROW(attend_at(0, 0), CallerError);
  const auto prefill = [&](std::vector<std::int64_t> offsets) {
    const auto sequences = static_cast<std::int64_t>(offsets.size()) - 1;
    const auto each = at::ones({sequences}, at::kLong);
    return paged_attention(
        q, pages, {each - 1, each, indices(std::move(offsets)), 1}, 1.0);
  };
  EXPECT_NO_THROW(prefill({0, 1}));
  EXPECT_THROW(prefill({0, 2}), CallerError);
  EXPECT_THROW(prefill({0, 2, 1}), CallerError);
  pages.table[1][0] = 2;
  EXPECT_THROW(attend_at(1, 5), CallerError);
}

}  // namespace
}  // namespace moft::kernels
