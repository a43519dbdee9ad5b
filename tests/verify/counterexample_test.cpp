// Section 6.2's counterexample against the exact-gradient runs of the notes.
#include "verify/counterexample.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/verify/support.h"

namespace moft::exact {
namespace {

void expect_front(const CounterexampleFront& front, const std::string& name) {
  const auto json = fixture("counterexample.json").at(name);
  EXPECT_NEAR(front.moft, json.at("moft"), 1e-9) << name;
  EXPECT_NEAR(front.max_regret, json.at("max_regret"), 1e-9) << name;
  EXPECT_NEAR(front.hypervolume, json.at("hv11"), 1e-9) << name;
  EXPECT_NEAR(front.hull, json.at("hull11"), 1e-9) << name;
}

Policy3 soup(int steps, double alpha = 0.0) {
  return mixture(
      train_expert(0, {.steps = steps, .alpha = alpha}),
      train_expert(1, {.steps = steps, .alpha = alpha}));
}

Policy3 together(int steps, double alpha = 0.0) {
  const Matrix copies = train_together({.steps = steps, .alpha = alpha});
  return mixture(copies[0], copies[1]);
}

class Steps : public ::testing::TestWithParam<int> {};

TEST_P(Steps, SoupsAndJointTrainingReachTheKnownFronts) {
  const int steps = GetParam();
  const std::string end = "_T" + std::to_string(steps);
  expect_front(measure(soup(steps / 2)), "RS_tabular" + end);
  expect_front(measure(together(steps)), "CLP_tabular_linear_logits" + end);
  const auto json = fixture("counterexample.json");
  expect_near(
      train_expert(0, {.steps = steps / 2}),
      json.at("experts" + end).at("theta1"),
      1e-9,
      "expert");
  expect_near(
      train_together({.steps = steps}),
      json.at("clp_theta" + end),
      1e-9,
      "copies");
}
INSTANTIATE_TEST_SUITE_P(A1, Steps, ::testing::Values(200, 2000, 20000));

TEST(Counterexample, RegularisationDoesNotSaveTheSoup) {
  for (const double alpha : {0.01, 0.1}) {
    const std::string end = alpha == 0.01 ? "0.01" : "0.1";
    expect_front(
        measure(soup(1000, alpha)), "RS_tabular_PG_alpha" + end + "_1000each");
    expect_front(
        measure(together(2000, alpha)), "CLP_tabular_alpha" + end + "_T2000");
  }
}

// A4: mixing three logits can represent the optimum.
TEST(Counterexample, ScaledRewardsAreAWitness) {
  for (const int k : {10, 40, 99, 400}) {
    expect_front(
        measure(witness(k)), "witness_theta_i=" + std::to_string(k) + "*R_i");
  }
}

// A5
TEST(Counterexample, ClosedFormOfTheRegularisedProblem) {
  const auto json = fixture("counterexample.json");
  for (const std::string alpha : {"0.01", "0.1"}) {
    const auto rows = json.at("closed_form_optimum_alpha" + alpha)
                          .at("rows_lam_p1_p2_p3_V1_V2_Vw_regret");
    for (const auto& row : rows) {
      const Vector pi = regularised_optimum(std::stod(alpha))(row[0]);
      for (int a = 0; a < 3; ++a)
        EXPECT_NEAR(pi[a], row[a + 1].get<double>(), 1e-12);
    }
  }
}

TEST(Counterexample, TheThirdOutputDiesAsDerived) {
  const auto json = fixture("counterexample.json").at("pi3_mix_half");
  for (const int t : {1, 10, 100, 1000, 10000}) {
    const Vector pi = soup(t)(0.5);
    EXPECT_NEAR(pi[2], json.at(std::to_string(t)), 1e-12);
    if (t < 1000) continue;  // derived for large t
    EXPECT_NEAR(pi[2] * (1 + 2 * std::sqrt(3 * t / 16.0)), 1.0, 0.02);
  }
}

TEST(Counterexample, OptimumAndUniformPolicy) {
  double best = 0;
  for (int k = 0; k < 100; ++k)
    best += best_reward((k + 0.5) / 100) / 100;
  EXPECT_NEAR(best, 0.8125, 1e-12);
  const Vector uniform(3, 0.0);
  EXPECT_NEAR(measure(mixture(uniform, uniform)).moft, 7.0 / 12.0, 1e-12);
}

}  // namespace
}  // namespace moft::exact
