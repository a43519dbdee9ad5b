// Toys trained on other weightings, against weighting_toys.py; the means over
// ten problems are lines of `moft verify --trained`.
#include "tests/trained/weighting_toys.h"

#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/verify/support.h"

namespace moft::exact {
namespace {

struct ToyCase {
  FrontKind kind;
  const char* name;
};

class TrainingWeightings : public ::testing::TestWithParam<ToyCase> {
 protected:
  ToyFront front_after(const Matrix& weightings) const {
    return read_front(
        problem_,
        train_copies(problem_, training_, weightings),
        training_.alpha);
  }

  const EnumeratedProblem problem_ = front_problem(GetParam().kind, 200, 20, 2);
  const FrontTraining training_{.steps = 1200, .alpha = .1};
  const nlohmann::json expected_ =
      fixture("weighting_toys.json")
          .at(std::string(GetParam().name) + "_seed200_alpha0.1_T1200");
};

// Row 47
TEST_P(TrainingWeightings, ThatCrowdCollapseTheFront) {
  const Vector spread = front_after(dirichlet_weightings(1, 2, 50)).extent;
  const Vector crowded = front_after(dirichlet_weightings(100, 2, 50)).extent;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(spread[i], expected_[i].get<double>(), 1e-9);
    EXPECT_NEAR(crowded[i], expected_[2 + i].get<double>(), 1e-9);
    EXPECT_LT(crowded[i], .1 * spread[i]);
  }
}

TEST_P(TrainingWeightings, ReachABandThatWasNeverDrawn) {
  const BandRegret band = removed_band_regret(problem_, training_);
  EXPECT_NEAR(band.inside, expected_[5].get<double>(), 1e-9);
  EXPECT_NEAR(band.outside, expected_[6].get<double>(), 1e-9);
  EXPECT_LE(band.inside, 1.5 * band.outside);
}

// Row 14: so early only some weightings have the best policy for them.
TEST_P(TrainingWeightings, ShareOfTheDiagonalIsTheReferences) {
  EXPECT_NEAR(
      front_after(midpoint_weightings(50)).diagonal_share,
      expected_[4].get<double>(),
      1e-9);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    TrainingWeightings,
    ::testing::Values(
        ToyCase{FrontKind::kRandom, "random"},
        ToyCase{FrontKind::kConcave, "concave"},
        ToyCase{FrontKind::kConvex, "convex"}));

TEST(DirichletWeightings, CrowdAroundTheCentreAsTheirVarianceSays) {
  const Matrix weightings = dirichlet_weightings(100, 2, 2000);
  double variance = 0;
  for (const Vector& w : weightings) {
    EXPECT_NEAR(w[0] + w[1], 1, 1e-15);
    variance += (w[0] - .5) * (w[0] - .5) / 2000;
  }
  EXPECT_NEAR(variance, .25 / 201, .1 * .25 / 201);
}

// Row 66: what a soup's runs may spend together is what one joint run may.
TEST(SplitSteps, SumsToTheStepsOfOneRunAndIsEven) {
  EXPECT_EQ(split_steps(30000, 2), (std::vector<int>{15000, 15000}));
  EXPECT_EQ(split_steps(30000, 3), (std::vector<int>{10000, 10000, 10000}));
  EXPECT_EQ(split_steps(11, 3), (std::vector<int>{4, 4, 3}));
  EXPECT_EQ(split_steps(2, 3), (std::vector<int>{1, 1, 0}));
  for (int runs = 1; runs <= 7; ++runs) {
    const auto shares = split_steps(90001, runs);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), 0), 90001);
  }
}

}  // namespace
}  // namespace moft::exact
