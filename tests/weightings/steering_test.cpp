#include "moft/weightings/steering.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/random.h"

namespace moft {
namespace {

nlohmann::json reference(const std::string& name) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/weightings/" + name);
  return nlohmann::json::parse(file);
}

TEST(SoftmdpMix, EqualsTheClosedFormNumbers) {
  const auto numbers = reference("f_mix.json");
  int compared = 0;
  for (const char* key : {"0.001", "0.01", "0.05", "0.1", "0.5"}) {
    const KlRange range(std::stod(key));
    const auto& table = numbers.at(key);
    for (const auto& [alpha, expected] : table.at("f_at").items()) {
      EXPECT_NEAR(
          range.mixing_amount(std::stod(alpha)), expected.get<double>(), 1e-15);
      ++compared;
    }
    for (const auto& [u, expected] : table.at("quantiles").items()) {
      EXPECT_NEAR(range.alpha_of(std::stod(u)), expected.get<double>(), 1e-15);
      ++compared;
    }
    EXPECT_NEAR(range.alpha_of(0.5), table.at("median").get<double>(), 1e-15);
  }
  EXPECT_EQ(compared, 28 + 35);
}

TEST(SoftmdpMix, EndsAreExact) {
  for (const double alpha_min : {1e-9, 0.001, 0.01, 0.3, 0.999}) {
    const KlRange range(alpha_min);
    EXPECT_EQ(range.mixing_amount(alpha_min), 0.0);
    EXPECT_EQ(range.mixing_amount(1.0), 1.0);
    EXPECT_EQ(range.alpha_of(0.0), alpha_min);
    EXPECT_EQ(range.alpha_of(1.0), 1.0);
  }
}

TEST(SoftmdpMix, InverseUndoesIt) {
  RandomStream stream(5, Purpose::kTest);
  for (int i = 0; i < 20000; ++i) {
    const KlRange range(0.001 + 0.9 * stream.uniform());
    const double u = stream.uniform();
    EXPECT_NEAR(range.mixing_amount(range.alpha_of(u)), u, 4e-15);
  }
}

// Linear mixing at alpha acts like the exact optimum for a smaller alpha.
TEST(LinearMix, EffectiveStrengthEqualsTheReference) {
  const KlRange linear(0.01, FMix::kLinear);
  const KlRange softmdp(0.01);
  const auto numbers = reference("f_mix.json").at("linear_alpha_eff");
  for (const auto& [alpha, expected] : numbers.items()) {
    const double beta = linear.mixing_amount(std::stod(alpha));
    EXPECT_EQ(beta, std::stod(alpha));
    EXPECT_NEAR(softmdp.alpha_of(beta), expected.get<double>(), 1e-15);
    EXPECT_EQ(linear.alpha_of(beta), beta);
  }
  EXPECT_THROW(linear.alpha_of(0.005), CallerError);
}

TEST(KlRange, FixedAlphaMixesNoReferenceIn) {
  for (const double alpha : {0.0, 0.01, 0.1}) {
    const auto range = KlRange::fixed(alpha);
    EXPECT_EQ(range.mixing_amount(alpha), 0.0);
    const auto c = coefficients({Weighting({0.3, 0.7}), alpha}, range);
    EXPECT_EQ(c.values(), (std::vector<double>{0.0, 0.3, 0.7}));
  }
}

TEST(KlRange, RefusesStrengthsOutsideTheRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const KlRange range(0.01);
  for (const double alpha : {0.0, 0.00999, 1.0001, -1.0, nan}) {
    EXPECT_THROW(range.mixing_amount(alpha), CallerError) << alpha;
  }
  for (const double alpha_min : {-0.1, 1.0, 2.0, nan}) {
    EXPECT_THROW(KlRange{alpha_min}, CallerError) << alpha_min;
  }
  EXPECT_THROW(KlRange(0.0).mixing_amount(0.1), CallerError);
  EXPECT_EQ(KlRange(0.0, FMix::kLinear).mixing_amount(0.1), 0.1);
  EXPECT_THROW(range.alpha_of(1.1), CallerError);
  EXPECT_EQ(enum_name(FMix::kLinear), "linear");
  EXPECT_EQ(enum_name(FMix::kSoftmdp), "softmdp");
}

// CLP equation 3 on the committed instances, with our coefficients.
TEST(Coefficients, ReproduceTheReferenceMixes) {
  int compared = 0;
  const auto instances = reference("merge.json").at("merge");
  for (const auto& item : instances) {
    const KlRange range(
        item.at("alpha_min").get<double>(),
        item.at("f_mix") == "linear" ? FMix::kLinear : FMix::kSoftmdp);
    const Weighting w(item.at("w").get<std::vector<double>>());
    const auto c = coefficients({w, item.at("alpha").get<double>()}, range);
    EXPECT_NEAR(c.reference(), item.at("beta").get<double>(), 1e-15);
    const auto theta_ref = item.at("theta_ref").get<std::vector<double>>();
    const auto theta = item.at("theta").get<std::vector<std::vector<double>>>();
    ASSERT_EQ(theta.size(), c.copies());
    for (std::size_t j = 0; j < theta_ref.size(); ++j) {
      double mixed = c.reference() * theta_ref[j];
      double size = std::abs(mixed);
      for (std::size_t i = 0; i < c.copies(); ++i) {
        mixed += c.copy(i) * theta[i][j];
        size += std::abs(c.copy(i) * theta[i][j]);
      }
      EXPECT_NEAR(mixed, item.at("merged")[j].get<double>(), 1e-15 * size);
      ++compared;
    }
  }
  EXPECT_GT(compared, 24);
}

TEST(Coefficients, SumToOneAndAreOneHotAtTheCorners) {
  const KlRange range(0.02);
  RandomStream stream(6, Purpose::kTest);
  for (int n = 0; n < 2000; ++n) {
    const double x = stream.uniform(), y = (1 - x) * stream.uniform();
    const Weighting w({x, y, 1.0 - x - y});
    const double alpha = range.alpha_of(stream.uniform());
    const auto c = coefficients({w, alpha}, range);
    const auto& values = c.values();
    EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 1.0, 5e-16);
    for (const double value : values)
      EXPECT_GE(value, 0.0);
    EXPECT_EQ(
        coefficients({w, 1.0}, range).values(),
        (std::vector<double>{1, 0, 0, 0}));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<double> expected(4, 0.0);
    expected[i + 1] = 1.0;
    const Steering corner{Weighting::corner(3, i), 0.02};
    EXPECT_EQ(coefficients(corner, range).values(), expected);
  }
  EXPECT_THROW(coefficients({Weighting(), 0.5}, range), CallerError);
}

}  // namespace
}  // namespace moft
