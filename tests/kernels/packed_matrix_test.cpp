#include "moft/kernels/packed_matrix.h"

#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

struct Shape {
  std::int64_t out;
  std::int64_t in;
};

// Panels are 8, 16 or 32 wide: full, partial, single, several; slabs are 768.
const Shape kShapes[] = {
    {1, 1}, {3, 5}, {16, 1}, {17, 33}, {32, 512}, {64, 513}, {97, 1100}};

// Error of a chain of n roundings of a sum of n products of numbers in
// [-1, 1]: at most (n + 1) eps n.
double bound(std::int64_t in) {
  return static_cast<double>((in + 1) * in) * 6e-8;
}

TEST(PackedMatrix, UnpackGivesTheWeightBack) {
  for (const auto [out, in] : kShapes) {
    const auto weight = numbers({out, in}, 1);
    EXPECT_TRUE(at::equal(PackedMatrix(weight).unpack(), weight));
    const PackedMatrix half(weight, Storage::kBFloat16);
    EXPECT_TRUE(
        at::equal(half.unpack(), weight.to(at::kBFloat16).to(at::kFloat)));
    // An odd input is padded where inputs are multiplied in pairs.
    const bool pairs = rounds_inputs(Storage::kBFloat16);
    const auto stored = pairs ? in + in % 2 : in;
    EXPECT_EQ(2 * half.bytes() * in, PackedMatrix(weight).bytes() * stored);
  }
}

TEST(PackedMatrix, PackedWhileReadIsPackedFromATensor) {
  for (const auto [out, in] : kShapes) {
    const auto weight = numbers({out, in}, 1);
    const auto read = [&, columns = in](
                          std::int64_t begin, std::int64_t end, float* rows) {
      const auto* source = weight.const_data_ptr<float>();
      std::copy(source + begin * columns, source + end * columns, rows);
    };
    for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
      const PackedMatrix packed(out, in, read, storage);
      EXPECT_TRUE(
          at::equal(packed.data(), PackedMatrix(weight, storage).data()))
          << out << " x " << in;
    }
  }
}

TEST(PackedMatrix, RowsAreTheRowsOfTheWeight) {
  for (const auto [out, in] : kShapes) {
    const auto ids = at::tensor({out - 1, std::int64_t{0}, out / 2});
    for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
      const PackedMatrix packed(numbers({out, in}, 1), storage);
      EXPECT_TRUE(
          at::equal(packed.rows(ids), packed.unpack().index_select(0, ids)));
    }
  }
}

TEST(PackedMatrix, MultiplyMatchesDouble) {
  for (const auto [out, in] : kShapes) {
    for (const std::int64_t rows : {1, 2, 3, 5, 7, 13, 40}) {
      for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
        const PackedMatrix weight(numbers({out, in}, 2), storage);
        auto x = numbers({rows, in}, 3);
        const auto bias = numbers({out}, 4);
        const auto result = multiply(x, weight, bias);
        if (rounds_inputs(storage)) x = x.to(at::kBFloat16);
        const auto truth = at::linear(
            x.to(at::kDouble),
            weight.unpack().to(at::kDouble),
            bias.to(at::kDouble));
        EXPECT_LE(distance(result, truth), bound(in))
            << out << " x " << in << ", " << rows << " rows";
      }
    }
  }
}

// Whole numbers below 2^24 have no rounding: any wrong term shows.
TEST(PackedMatrix, WholeNumbersAreExact) {
  const auto x = (numbers({29, 700}, 5) * 16).round();
  const auto w = (numbers({50, 700}, 6) * 16).round();
  for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
    EXPECT_TRUE(
        at::equal(multiply(x, PackedMatrix(w, storage)), at::linear(x, w)));
  }
}

// Bits of a number beside another are no number: nothing may change them.
TEST(PackedMatrix, InfinityAndNanComeThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
    const PackedMatrix weight(at::ones({40, 6}), storage);
    for (std::int64_t place = 0; place < 6; ++place) {
      auto x = numbers({14, 6}, 17);
      x[3][place] = kInfinity;
      x[5][place] = std::numeric_limits<float>::quiet_NaN();
      const auto y = multiply(x, weight);
      EXPECT_TRUE(y[3].eq(kInfinity).all().item<bool>()) << place;
      EXPECT_TRUE(y[5].isnan().all().item<bool>()) << place;
      EXPECT_TRUE(y[4].isfinite().all().item<bool>()) << place;
    }
  }
}

TEST(PackedMatrix, BitsDependOnTheRowAlone) {
  const std::int64_t rows = 230;  // several chunks, uneven tiles
  for (const auto [out, in] : {Shape{70, 576}, Shape{33, 1536}}) {
    for (const auto storage : {Storage::kFloat32, Storage::kBFloat16}) {
      const PackedMatrix weight(numbers({out, in}, 7), storage);
      const auto x = numbers({rows, in}, 8);
      const auto bias = numbers({out}, 9);
      const auto all = multiply(x, weight, bias);
      for (std::int64_t count = 1; count <= 26; ++count) {
        for (const std::int64_t first : {0, 101, 204}) {
          EXPECT_TRUE(at::equal(
              multiply(x.narrow(0, first, count), weight, bias),
              all.narrow(0, first, count)))
              << count << " rows from " << first;
        }
      }
      for (const int threads : {1, 2, 3, 5}) {
        const Threads set(threads);
        EXPECT_TRUE(at::equal(multiply(x, weight, bias), all)) << threads;
      }
    }
  }
}

TEST(PackedMatrix, ReadsAndWritesStridedRows) {
  const PackedMatrix weight(numbers({20, 24}, 10));
  const auto wide = numbers({9, 60}, 11);
  const auto slice = wide.narrow(1, 30, 24);
  auto target = at::zeros({9, 50}, at::kFloat);
  auto window = target.narrow(1, 5, 20);
  multiply_into(window, slice, weight);
  EXPECT_TRUE(at::equal(window, multiply(slice.contiguous(), weight)));
  EXPECT_EQ(target.narrow(1, 0, 5).abs().sum().item<float>(), 0);
  EXPECT_EQ(target.narrow(1, 25, 25).abs().sum().item<float>(), 0);
}

TEST(PackedMatrix, KeepsLeadingDimensionsAndEmptyRows) {
  const PackedMatrix weight(numbers({6, 4}, 12));
  EXPECT_EQ(
      multiply(numbers({2, 3, 4}, 13), weight).sizes(),
      (std::vector<std::int64_t>{2, 3, 6}));
  EXPECT_EQ(
      multiply(numbers({0, 4}, 13), weight).sizes(),
      (std::vector<std::int64_t>{0, 6}));
}

// Other dtypes go through ATen, to their own precision.
TEST(PackedMatrix, DoubleInputFallsBackToAten) {
  const PackedMatrix weight(numbers({6, 4}, 14));
  const auto x = numbers({3, 4}, 15).to(at::kDouble);
  const auto result = multiply(x, weight);
  EXPECT_EQ(result.scalar_type(), at::kDouble);
  EXPECT_LE(
      distance(result, at::linear(x, weight.unpack().to(at::kDouble))), 1e-14);
}

TEST(PackedMatrix, RefusesWhatDoesNotFit) {
  EXPECT_THROW(PackedMatrix(numbers({4}, 16)), CallerError);
  EXPECT_THROW(PackedMatrix(at::empty({0, 4})), CallerError);
  const PackedMatrix weight(numbers({6, 4}, 17));
  EXPECT_THROW(multiply(numbers({3, 5}, 18), weight), CallerError);
  EXPECT_THROW(
      multiply(numbers({3, 4}, 18), weight, numbers({5}, 19)), CallerError);
}

}  // namespace
}  // namespace moft::kernels
