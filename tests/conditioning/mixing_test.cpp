// Reference values: tests/reference/conditioning/merge.py.
#include "moft/conditioning/mixing.h"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/conditioning/row_steering.h"

#include "tests/support/tensors.h"

namespace moft {
namespace {

using test::normal_tensor;
using test::same_bits;

Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

at::Tensor doubles(const nlohmann::json& values) {
  return at::tensor(values.get<std::vector<double>>(), at::kDouble);
}

TEST(Mixing, TheMergeCasesOfEquation3) {
  std::ifstream file(MOFT_SOURCE_DIR
                     "/tests/reference/conditioning/merge.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 24U);
  for (const auto& entry : cases) {
    const KlRange range(
        entry["alpha_min"],
        entry["f_mix"] == "linear" ? FMix::kLinear : FMix::kSoftmdp);
    const Steering steering{
        Weighting(entry["w"].get<std::vector<double>>()), entry["alpha"]};
    const Coefficients c = coefficients(steering, range);
    const double beta = entry["beta"];
    EXPECT_NEAR(c.reference(), beta, 1e-15 * beta);
    std::vector<at::Tensor> sources{doubles(entry["reference"])};
    for (const auto& copy : entry["copies"])
      sources.push_back(doubles(copy));
    at::Tensor terms = at::zeros_like(sources[0]);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      terms.add_(sources[i].abs(), c.values()[i]);
    }
    const at::Tensor error = (mix(sources, c) - doubles(entry["merged"])).abs();
    EXPECT_LE((error / terms).max().item<double>(), 1e-15) << entry;
  }
}

// Any length, so that every tail of a register is met.
TEST(Mixing, IsTheSumInDoubleRoundedOnce) {
  const Coefficients c = mixed(0.21, {0.45, 0.55});
  for (std::int64_t count = 1; count < 70; ++count) {
    std::vector<at::Tensor> sources;
    for (std::uint32_t t = 0; t < 3; ++t)
      sources.push_back(normal_tensor({count}, t));
    at::Tensor sum = sources[0].to(at::kDouble) * c.values()[0];
    for (std::size_t t = 1; t < 3; ++t)
      sum = sum + sources[t].to(at::kDouble) * c.values()[t];
    EXPECT_TRUE(same_bits(mix(sources, c), sum.to(at::kFloat))) << count;
  }
}

TEST(Mixing, RowsAreTheRowsOfTheMixedMatrix) {
  const std::vector<at::Tensor> sources{
      normal_tensor({9, 37}, 1),
      normal_tensor({9, 37}, 2),
      normal_tensor({9, 37}, 3)};
  for (const Coefficients& c :
       {mixed(0.21, {0.45, 0.55}), mixed(0.0, {1.0, 0.0})}) {
    const kernels::ReadRows read = mixed_rows(sources, c);
    at::Tensor rows = at::empty({4, 37});
    read(3, 7, rows.data_ptr<float>());
    EXPECT_TRUE(same_bits(rows, mix(sources, c).narrow(0, 3, 4)));
  }
}

TEST(Mixing, EqualCopiesGiveBackTheReferenceBitForBit) {
  const at::Tensor reference = normal_tensor({3001}, 1);
  for (const double beta : {0.0, 0.1, 0.37, 0.999}) {
    for (const auto& w :
         {std::vector<double>{0.3, 0.6, 0.1},
          std::vector<double>{1.0 / 3, 1.0 / 3, 1.0 / 3},
          std::vector<double>{0.7, 0.0, 0.3}}) {
      const std::vector<at::Tensor> sources(4, reference);
      EXPECT_TRUE(same_bits(mix(sources, mixed(beta, w)), reference));
    }
  }
}

// An unused source is not even read: NaN and the sign of zero stay away.
TEST(Mixing, AOneHotVectorCopiesItsSource) {
  at::Tensor wanted = normal_tensor({64}, 2);
  wanted[3] = -0.0F;
  const at::Tensor poison =
      at::full({64}, std::numeric_limits<float>::quiet_NaN());
  const Coefficients corner(0.0, Weighting::corner(2, 1));
  EXPECT_TRUE(same_bits(mix({poison, poison, wanted}, corner), wanted));
  const Coefficients reference = Coefficients::frozen_reference();
  EXPECT_TRUE(same_bits(mix({wanted, poison, poison}, reference), wanted));
  // Half of a used copy and none of the poisoned one.
  const Coefficients half = mixed(0.5, {0.0, 1.0});
  EXPECT_TRUE(same_bits(mix({wanted, poison, wanted}, half), wanted));
}

TEST(Mixing, RenamingTheCopiesChangesNothing) {
  const at::Tensor reference = normal_tensor({500}, 3);
  const at::Tensor a = normal_tensor({500}, 4);
  const at::Tensor b = normal_tensor({500}, 5);
  const at::Tensor ab = mix({reference, a, b}, mixed(0.2, {0.3, 0.7}));
  const at::Tensor ba = mix({reference, b, a}, mixed(0.2, {0.7, 0.3}));
  EXPECT_TRUE(same_bits(ab, ba));
}

TEST(Mixing, MixEachIsMixForEach) {
  std::vector<at::Tensor> sources;
  for (std::uint32_t i = 0; i < 3; ++i)
    sources.push_back(normal_tensor({4, 9}, 10 + i));
  const std::vector<Coefficients> steerings{
      mixed(0.25, {0.5, 0.5}), mixed(0, {0, 1}), mixed(0.1, {0.9, 0.1})};
  const at::Tensor each = mix_each(sources, steerings);
  for (std::size_t k = 0; k < steerings.size(); ++k) {
    const at::Tensor row = each[static_cast<std::int64_t>(k)];
    EXPECT_TRUE(same_bits(row, mix(sources, steerings[k]))) << k;
  }
}

TEST(RowSteering, MergesEqualSteerings) {
  const auto a = mixed(0.1, {0.5, 0.5});
  const auto b = mixed(0.1, {0.2, 0.8});
  const auto rows = RowSteering::per_row({a, b, a, b}, {3, 0, 2, 1}, at::kCPU);
  ASSERT_EQ(rows.distinct().size(), 2U);
  EXPECT_EQ(rows.distinct()[0], b);
  EXPECT_TRUE(at::equal(rows.index(), at::tensor({0, 1, 1, 0}, at::kLong)));
  EXPECT_TRUE(
      RowSteering::per_row({a, b, a}, {0, 2, 0}, at::kCPU).is_uniform());
}

TEST(RowSteering, GivesEachRowItsCoefficients) {
  const auto a = mixed(0.5, {0.5, 0.5});
  const auto b = mixed(0.0, {0.25, 0.75});
  const auto rows = RowSteering::per_row({a, b}, {0, 1, 0}, at::kCPU);
  const at::Tensor picked =
      rows.select(at::tensor({1, 2}, at::kLong)).copy_coefficients(2, at::kCPU);
  const at::Tensor expected =
      at::tensor({0.25, 0.25, 0.75, 0.75, 0.25, 0.25, 0.25, 0.25}, at::kFloat)
          .view({2, 4});
  EXPECT_TRUE(at::equal(picked, expected));
  EXPECT_TRUE(
      RowSteering::uniform(Coefficients::frozen_reference()).is_reference());
  EXPECT_FALSE(rows.is_reference());
}

}  // namespace
}  // namespace moft
