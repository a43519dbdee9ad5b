// KL-regularised bandits against their closed form (tests/reference/exact).
#include "verify/enumerated_problem.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/weightings/steering.h"

#include "tests/verify/support.h"
#include "verify/splitmix.h"

namespace moft::exact {
namespace {

TEST(SplitMix64, GivesTheNumbersOfTheScienceNotes) {
  SplitMix64 words(1);
  EXPECT_EQ(words.next_u64(), 10451216379200822465ULL);
  EXPECT_EQ(words.next_u64(), 13757245211066428519ULL);
  EXPECT_EQ(SplitMix64(1).uniform(), 0.5665615751722809);
  EXPECT_DOUBLE_EQ(SplitMix64(1).normal(), -0.034267321791851144);
  expect_near(
      SplitMix64(1).dirichlet1(3),
      {.14549038823925955, .23834546749572594, .6161641442650144},
      1e-16,
      "dirichlet1");
}

TEST(KlDivergence, IsZeroOfEqualsAndInfiniteWithoutCover) {
  const Vector p = log_softmax({0.3, -1.0, 2.0});
  EXPECT_EQ(kl_divergence(p, p), 0.0);
  const double nothing = -std::numeric_limits<double>::infinity();
  const Vector half = {std::log(.5), std::log(.5), nothing};
  EXPECT_EQ(kl_divergence(p, half), std::numeric_limits<double>::infinity());
  const Vector third(3, -std::log(3.0));
  EXPECT_NEAR(kl_divergence(half, third), std::log(1.5), 1e-15);
}

// Far below 1e-10 the plain sum has no digits left; second-order theory gives
// KL = Var(delta) / 2 for small changes delta of the logits.
TEST(KlDivergence, KeepsItsDigitsWhenSmall) {
  const Vector p(2, std::log(.5));
  const double delta = 1e-8;
  const Vector q = log_softmax({delta, -delta});
  EXPECT_NEAR(kl_divergence(p, q) / (delta * delta / 2.0), 1.0, 1e-6);
}

struct Shape {
  int outputs;
  int objectives;
};

class Bandits : public ::testing::TestWithParam<int> {
 protected:
  static Shape shape() {
    switch (GetParam()) {
      case 11:
        return {5, 2};
      case 12:
        return {8, 2};
      case 13:
        return {10, 3};
      case 14:
        return {50, 3};
      default:
        return {1000, 4};
    }
  }
  const nlohmann::json json_ =
      fixture("bandits.json").at("seed" + std::to_string(GetParam()));
  const EnumeratedProblem bandit_ =
      make_bandit(GetParam(), shape().outputs, shape().objectives);
};

TEST_P(Bandits, OptimaAreTheClosedForm) {
  const Vector reference = exponentials(bandit_.reference);
  expect_near(
      Vector(reference.begin(), reference.begin() + 5),
      json_.at("ref_first5"),
      1e-15,
      "reference");
  for (const auto& row : json_.at("rows")) {
    const auto w = row.at("w").get<Vector>();
    const double alpha = row.at("alpha");
    const Optimum best = optimum(bandit_, w, alpha);
    const PolicyScore score = score_policy(bandit_, best.log_probs, w, alpha);
    EXPECT_NEAR(score.value, row.at("V_star"), 1e-12);
    EXPECT_NEAR(best.value, row.at("alpha_logZ"), 1e-12);
    EXPECT_NEAR(score.kl, row.at("KL"), 1e-11);
    expect_near(score.rewards, row.at("ER"), 1e-12, "E R");
    expect_near(score.values, row.at("V_i"), 1e-12, "V_i");
    EXPECT_NEAR(dot(w, score.values), score.value, 1e-14);
    if (row.contains("pi")) {
      expect_near(exponentials(best.log_probs), row.at("pi"), 1e-13, "pi");
    }
    EXPECT_NEAR(loss_to_optimum(bandit_, best.log_probs, w, alpha), 0, 1e-14);
  }
}

// Lemma 1 on policies that are not optimal.
TEST_P(Bandits, LossIsAlphaTimesTheDivergenceFromTheOptimum) {
  SplitMix64 random(1000 + GetParam());
  for (int i = 0; i < 50; ++i) {
    const double alpha = 0.01 + 0.99 * random.uniform();
    const Vector w = random.dirichlet1(shape().objectives);
    const Vector policy = log_softmax(random.normals(shape().outputs));
    const double loss = optimum(bandit_, w, alpha).value -
                        score_policy(bandit_, policy, w, alpha).value;
    EXPECT_NEAR(loss_to_optimum(bandit_, policy, w, alpha), loss, 1e-13);
  }
}

// Row 52: logits of the optima mix in alpha as equation 4 says, and in w.
TEST_P(Bandits, LogitsOfOptimaMixExactly) {
  SplitMix64 random(2000 + GetParam());
  const KlRange range(0.05);
  for (int i = 0; i < 20; ++i) {
    const double alpha = 0.05 + 0.95 * random.uniform();
    const Vector w = random.dirichlet1(shape().objectives);
    const Vector at_min = optimum(bandit_, w, 0.05).log_probs;
    const double beta = range.mixing_amount(alpha);
    const Vector mixed =
        log_softmax(combine(1.0 - beta, at_min, beta, bandit_.reference));
    const Vector best = optimum(bandit_, w, alpha).log_probs;
    for (std::size_t a = 0; a < best.size(); ++a)
      EXPECT_NEAR(std::exp(mixed[a]), std::exp(best[a]), 1e-13);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Bandits, ::testing::Values(11, 12, 13, 14, 15));

TEST(EnumeratedProblem, RefusesWhatHasNoOptimum) {
  const EnumeratedProblem bandit = make_bandit(11, 5, 2);
  EXPECT_THROW(optimum(bandit, {1, 0}, 0.0), CallerError);
  EXPECT_THROW(optimum(bandit, {1, 0}, 1.5), CallerError);
  EXPECT_THROW(optimum(bandit, {1, 0, 0}, 0.1), CallerError);
}

}  // namespace
}  // namespace moft::exact
