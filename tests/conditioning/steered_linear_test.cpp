#include "moft/conditioning/steered_linear.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/conditioning/low_rank.h"
#include "moft/conditioning/steered_rows.h"

#include "tests/conditioning/support.h"
#include "tests/support/tensors.h"

namespace moft {
namespace {

using test::distance;
using test::normal_tensor;
using test::same_bits;

constexpr std::int64_t kIn = 21;
constexpr std::int64_t kOut = 13;
constexpr std::int64_t kObjectives = 2;

Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

std::shared_ptr<SteeredParameter> parameter(
    const std::string& name,
    const std::vector<std::int64_t>& shape,
    std::uint32_t row,
    bool perturbed = true) {
  auto made =
      std::make_shared<SteeredParameter>(name, normal_tensor(shape, row));
  made->make_steered(kObjectives);
  for (std::size_t i = 0; perturbed && i < kObjectives; ++i) {
    const auto stream = row + 1 + static_cast<std::uint32_t>(i);
    test::set_copy(*made, i, normal_tensor(shape, stream));
  }
  return made;
}

// Five distinct steerings over nine rows, one of them the reference.
std::vector<Coefficients> five() {
  return {
      mixed(0.1, {0.3, 0.7}),
      Coefficients::frozen_reference(),
      mixed(0.0, {1.0, 0.0}),
      mixed(0.5, {0.5, 0.5}),
      mixed(0.0, {0.2, 0.8})};
}
const std::vector<std::int64_t> kRows{0, 4, 2, 1, 3, 0, 2, 2, 1};

class SteeredLinearTest : public testing::Test {
 protected:
  at::Tensor row_by_row(const SteeredLinear& linear, const at::Tensor& x) {
    std::vector<at::Tensor> rows;
    for (std::size_t r = 0; r < kRows.size(); ++r) {
      const Coefficients c = five()[static_cast<std::size_t>(kRows[r])];
      const at::Tensor row = x.narrow(0, static_cast<std::int64_t>(r), 1);
      rows.push_back(linear.forward(row, RowSteering::uniform(c)));
    }
    return at::cat(rows);
  }

  at::NoGradGuard no_gradient_;
  SteeredLinear linear_{
      parameter("weight", {kOut, kIn}, 20), parameter("bias", {kOut}, 30)};
  at::Tensor x_ = normal_tensor({9, kIn}, 40);
  RowSteering many_ = RowSteering::per_row(five(), kRows, at::kCPU);
};

TEST_F(SteeredLinearTest, GroupedProductsAreTheMixedWeightsBitForBit) {
  EXPECT_TRUE(same_bits(linear_.forward(x_, many_), row_by_row(linear_, x_)));
}

TEST_F(SteeredLinearTest, TheWideProductAgreesWithTheMixedWeights) {
  const at::Tensor one_by_one = row_by_row(linear_, x_);
  linear_.weight().set_way(SteeringWay::kWide);
  const at::Tensor wide = linear_.forward(x_, many_);
  EXPECT_LT(distance(wide, one_by_one), 1e-5);
  EXPECT_FALSE(same_bits(wide, one_by_one));
}

// The way belongs to the job: a batch of one steering takes it too, so that a
// row's answer is the same alone and among others.
TEST_F(SteeredLinearTest, InTheWideProductARowDoesNotDependOnItsNeighbours) {
  linear_.weight().set_way(SteeringWay::kWide);
  EXPECT_TRUE(same_bits(linear_.forward(x_, many_), row_by_row(linear_, x_)));
}

// Copies that are rounded one by one do not sum to the rounded mixture, which
// is why Conditioning never chooses the wide product in bf16.
TEST_F(
    SteeredLinearTest, InBf16AnyNumberOfSteeringsIsTheMixedWeightsBitForBit) {
  linear_.weight().set_storage(kernels::Storage::kBFloat16);
  const at::Tensor together = linear_.forward(x_, many_);
  EXPECT_TRUE(same_bits(together, row_by_row(linear_, x_)));
  linear_.weight().set_way(SteeringWay::kWide);
  EXPECT_GT(distance(linear_.forward(x_, many_), together), 1e-4);
}

TEST_F(SteeredLinearTest, MixedWeightsFollowTheCopies) {
  const auto c = RowSteering::uniform(mixed(0.0, {0.0, 1.0}));
  const at::Tensor before = linear_.forward(x_, c);
  test::set_copy(linear_.weight(), 1, linear_.weight().copies()[0]);
  test::set_copy(*linear_.bias(), 1, linear_.bias()->copies()[0]);
  const at::Tensor after = linear_.forward(x_, c);
  EXPECT_FALSE(same_bits(before, after));
  const auto first = RowSteering::uniform(mixed(0.0, {1.0, 0.0}));
  EXPECT_TRUE(same_bits(after, linear_.forward(x_, first)));
}

TEST_F(SteeredLinearTest, EqualCopiesInAMixedBatchAreTheReferenceBitForBit) {
  SteeredLinear fresh(
      parameter("weight", {kOut, kIn}, 50, false),
      parameter("bias", {kOut}, 51, false));
  const at::Tensor reference =
      fresh.forward(x_, RowSteering::uniform(Coefficients::frozen_reference()));
  EXPECT_TRUE(same_bits(fresh.forward(x_, many_), reference));
}

TEST(SteeredGain, RowsCarryTheirMixedGainBitForBit) {
  const auto gain = parameter("gain", {kIn}, 60);
  const auto many = RowSteering::per_row(five(), kRows, at::kCPU);
  const at::Tensor rows = steered_gain(*gain, many);
  for (std::size_t r = 0; r < kRows.size(); ++r) {
    const Coefficients c = five()[static_cast<std::size_t>(kRows[r])];
    const at::Tensor row = rows[static_cast<std::int64_t>(r)];
    EXPECT_TRUE(same_bits(row, gain->value(c))) << r;
  }
}

// A few rows are mixed separately as long as nobody asked for the table.
TEST(SteeredParameter, RowsAreThoseOfItsValueBitForBit) {
  const auto ids = at::tensor({5, 0, 5, 11});
  for (const Coefficients& c : five()) {
    const auto table = parameter("table", {12, kIn}, 70);
    const at::Tensor few = table->rows(ids, c);
    EXPECT_TRUE(same_bits(few, table->value(c).index_select(0, ids)));
    EXPECT_TRUE(same_bits(table->rows(ids, c), few));
  }
}

TEST(SteeredEmbedding, RowsCarryTheirMixedEmbeddingBitForBit) {
  const auto table = parameter("table", {11, 6}, 70);
  const auto many = RowSteering::per_row(five(), kRows, at::kCPU);
  const at::Tensor ids = at::tensor({3, 3, 10, 0, 7, 7, 1, 2, 0}, at::kLong);
  const at::Tensor rows = steered_embedding(*table, ids, many);
  for (std::size_t r = 0; r < kRows.size(); ++r) {
    const Coefficients c = five()[static_cast<std::size_t>(kRows[r])];
    const auto place = static_cast<std::int64_t>(r);
    const at::Tensor wanted = table->value(c)[ids[place].item<std::int64_t>()];
    EXPECT_TRUE(same_bits(rows[place], wanted)) << r;
  }
}

LowRankAdapters adapters(bool perturbed) {
  LowRankAdapters made(kIn, kOut, kObjectives, 4, 1.7, at::kCPU);
  made.initialise(9, 0);
  if (perturbed) {
    at::NoGradGuard no_gradient;
    made.up_all().copy_(normal_tensor(made.up_all().sizes().vec(), 80));
    made.down_all().copy_(normal_tensor(made.down_all().sizes().vec(), 81));
  }
  return made;
}

TEST(LowRank, StartsAtZeroWithEqualFactorsForAllObjectives) {
  const LowRankAdapters fresh = adapters(false);
  EXPECT_TRUE(same_bits(fresh.down(0), fresh.down(1)));
  const double bound = std::sqrt(1.0 / kIn);
  EXPECT_LE(test::largest(fresh.down(0)), bound);
  EXPECT_GT(test::largest(fresh.down(0)), 0.8 * bound);
  EXPECT_EQ(test::largest(fresh.delta(mixed(0.0, {0.5, 0.5}))), 0.0);
  const kernels::FrozenWeight base(normal_tensor({kOut, kIn}, 82));
  const at::Tensor x = normal_tensor({3, kIn}, 83);
  const auto c = RowSteering::uniform(mixed(0.1, {0.3, 0.7}));
  at::NoGradGuard no_gradient;
  EXPECT_TRUE(
      same_bits(fresh.forward(x, base, c), kernels::frozen_linear(x, base)));
}

TEST(LowRank, TheConcatenatedRankIsTheMergedWeight) {
  const LowRankAdapters made = adapters(true);
  const at::Tensor weight = normal_tensor({kOut, kIn}, 84);
  const at::Tensor x = normal_tensor({9, kIn}, 40);
  const auto many = RowSteering::per_row(five(), kRows, at::kCPU);
  const kernels::FrozenWeight base(weight);
  std::vector<at::Tensor> expected;
  for (std::size_t r = 0; r < kRows.size(); ++r) {
    const Coefficients c = five()[static_cast<std::size_t>(kRows[r])];
    const at::Tensor merged = weight.to(at::kDouble) + made.delta(c);
    const at::Tensor row = x[static_cast<std::int64_t>(r)].to(at::kDouble);
    expected.push_back(at::mv(merged, row));
  }
  EXPECT_LT(distance(made.forward(x, base, many), at::stack(expected)), 1e-5);
  at::NoGradGuard no_gradient;
  EXPECT_LT(distance(made.forward(x, base, many), at::stack(expected)), 1e-5);
}

TEST(LowRank, WithoutGradientARowDoesNotDependOnItsNeighbours) {
  at::NoGradGuard no_gradient;
  const LowRankAdapters made = adapters(true);
  const at::Tensor x = normal_tensor({9, kIn}, 40);
  const kernels::FrozenWeight base(normal_tensor({kOut, kIn}, 85));
  const auto many = RowSteering::per_row(five(), kRows, at::kCPU);
  const at::Tensor together = made.forward(x, base, many);
  for (std::int64_t r = 0; r < 9; ++r) {
    const Coefficients c =
        five()[static_cast<std::size_t>(kRows[static_cast<std::size_t>(r)])];
    const at::Tensor alone =
        made.forward(x.narrow(0, r, 1), base, RowSteering::uniform(c));
    EXPECT_TRUE(same_bits(alone[0], together[r])) << r;
  }
}

TEST(LowRank, ProductsFollowTheMasters) {
  at::NoGradGuard no_gradient;
  LowRankAdapters made = adapters(true);
  const at::Tensor x = normal_tensor({2, kIn}, 86);
  const kernels::FrozenWeight base(at::zeros({kOut, kIn}));
  const auto c = RowSteering::uniform(mixed(0.0, {0.0, 1.0}));
  const at::Tensor before = made.forward(x, base, c);
  made.up(1).mul_(2);
  EXPECT_TRUE(same_bits(made.forward(x, base, c), before * 2));
  made.up_all().data_ptr<float>()[4 * kOut] += 1;  // behind ATen's back
  made.masters_changed();
  EXPECT_FALSE(same_bits(made.forward(x, base, c), before * 2));
}

}  // namespace
}  // namespace moft
