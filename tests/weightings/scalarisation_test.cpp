// Value and gradient of scalarisations.
#include "moft/weightings/scalarisation.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

const std::vector<double> kRewards{0.5, -2.0, 3.0};
const std::vector<double> kWeights{0.2, 0.5, 0.3};

TEST(Scalarisation, LinearIsTheWeightedSum) {
  const LinearScalarisation linear;
  EXPECT_EQ(linear.value(kRewards, kWeights), 0.2 * 0.5 - 0.5 * 2 + 0.3 * 3);
  EXPECT_EQ(linear.gradient(kRewards, kWeights), kWeights);
}

TEST(Scalarisation, GradientAgreesWithFiniteDifferences) {
  const LinearScalarisation linear;
  const Scalarisation& f = linear;
  const double step = 1e-4;
  const std::vector<double> gradient = f.gradient(kRewards, kWeights);
  for (std::size_t i = 0; i < kRewards.size(); ++i) {
    std::vector<double> up = kRewards;
    std::vector<double> down = kRewards;
    up[i] += step;
    down[i] -= step;
    const double slope =
        (f.value(up, kWeights) - f.value(down, kWeights)) / (2 * step);
    EXPECT_NEAR(gradient[i], slope, 1e-10) << i;
  }
}

TEST(Scalarisation, IsHomogeneousInTheWeights) {
  const LinearScalarisation f;
  std::vector<double> halved = kWeights;
  for (double& w : halved)
    w *= 0.5;
  EXPECT_EQ(f.value(kRewards, halved), 0.5 * f.value(kRewards, kWeights));
}

TEST(Scalarisation, RefusesOtherSizes) {
  const LinearScalarisation f;
  const std::vector<double> two{0.5, 0.5};
  EXPECT_THROW(f.value(kRewards, two), CallerError);
  EXPECT_THROW(f.gradient(kRewards, two), CallerError);
}

}  // namespace
}  // namespace moft
