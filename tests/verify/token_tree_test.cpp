// The estimator table and ENUM-1 against tests/reference/exact.
#include "verify/token_tree.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/verify/support.h"
#include "verify/enum_task.h"
#include "verify/estimator_task.h"

namespace moft::exact {
namespace {

class Estimators : public ::testing::TestWithParam<const char*> {
 protected:
  const nlohmann::json json_ = fixture("autoregressive.json").at(GetParam());
  const EstimatorTask task_{json_.at("alpha_min").get<double>()};
};

TEST_P(Estimators, TheTaskIsTheOracles) {
  EXPECT_EQ(task_.tree().sequences(), json_.at("seqs"));
  EXPECT_EQ(task_.tree().prefixes(), json_.at("prefixes"));
  EXPECT_NEAR(task_.beta(), json_.at("beta"), 1e-15);
  expect_near(task_.reference(), json_.at("ref_logits"), 1e-15, "reference");
  expect_near(task_.merged(), json_.at("theta_merged"), 1e-14, "merged");
  expect_near(task_.problem().rewards, json_.at("R"), 0, "rewards");
  EXPECT_NEAR(task_.score().value, json_.at("J"), 1e-13);
  EXPECT_NEAR(task_.score().kl, json_.at("KL"), 1e-13);
  EXPECT_NEAR(
      optimum(task_.problem(), task_.w(), task_.alpha()).value,
      json_.at("V_star"),
      1e-13);
}

// The recursion over prefixes, finite differences of the oracle, and the
// estimators' sums over outputs are three roads to one gradient.
TEST_P(Estimators, ExactGradientIsTheOraclesWithinItsDifferences) {
  expect_near(
      task_.exact_gradient(), json_.at("grad_exact_fd"), 2e-10, "gradient");
}

TEST_P(Estimators, ExpectedGradientsAreTheOracles) {
  for (const auto& [treatment, text] : enum_names(KlTreatment{})) {
    const std::string name(text);
    const auto json = json_.at("estimators").at(name);
    const Logits gradient = task_.gradient(treatment);
    expect_near(gradient, json.at("grad"), 1e-13, name);
    const GradientError error = compare(gradient, task_.exact_gradient());
    EXPECT_NEAR(error.largest, json.at("maxdiff"), 2e-10) << name;
    EXPECT_NEAR(error.cosine, json.at("cos"), 1e-9) << name;
    const bool exact = treatment <= KlTreatment::kTokenDirectAndFuture;
    EXPECT_EQ(error.largest < 1e-13, exact) << name;
  }
}

TEST_P(Estimators, VarianceWithAndWithoutBaseline) {
  EXPECT_NEAR(task_.trace_variance(0), json_.at("trace_var_no_baseline"), 1e-9);
  EXPECT_NEAR(
      task_.trace_variance(task_.mean_reward()),
      json_.at("trace_var_mean_baseline"),
      1e-9);
}

// The optimum over sequences factorises over tokens; mixing tokens of two
// optima does not give the optimum of the mix.
TEST_P(Estimators, ConditionalsRebuildSequences) {
  const EnumeratedProblem& problem = task_.problem();
  const TokenTree& tree = task_.tree();
  const Vector best = optimum(problem, task_.w(), task_.alpha()).log_probs;
  const Vector rebuilt = tree.log_probs(tree.conditionals(best));
  for (std::size_t k = 0; k < best.size(); ++k)
    EXPECT_NEAR(rebuilt[k], best[k], 1e-13);

  Logits mixed;
  std::vector<Logits> single;
  for (const Vector& w : {Vector{1, 0}, Vector{0, 1}}) {
    single.push_back(
        tree.conditionals(optimum(problem, w, task_.alpha()).log_probs));
  }
  for (std::size_t i = 0; i < single[0].size(); ++i) {
    mixed.push_back(
        combine(task_.w()[0], single[0][i], task_.w()[1], single[1][i]));
  }
  const double value =
      score_policy(problem, tree.log_probs(mixed), task_.w(), task_.alpha())
          .value;
  EXPECT_NEAR(value, json_.at("token_level_mixing").at("V_token_mix"), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(
    Beta, Estimators, ::testing::Values("beta_0.789", "beta_0"));

TEST(EnumTask, HasTheAnswersAndRewardsOfTheNotes) {
  const EnumTask task;
  EXPECT_EQ(task.answers().size(), 156u);
  const EnumeratedProblem& first = task.problem(0);
  EXPECT_NEAR(log_sum_exp(first.reference), 0.0, 1e-14);
  const auto at = [&](const Sequence& answer) {
    const auto& answers = task.answers();
    return std::find(answers.begin(), answers.end(), answer) - answers.begin();
  };
  // Document 1 2 3 1, summary 1 2 5.
  EXPECT_DOUBLE_EQ(first.rewards[0][at({})], 0.5);
  EXPECT_DOUBLE_EQ(first.rewards[0][at({1, 4})], 0.5 - 0.2);
  EXPECT_DOUBLE_EQ(first.rewards[1][at({1, 2, 5})], 1.0);
  EXPECT_DOUBLE_EQ(first.rewards[1][at({1, 1})], 2.0 / 5.0);
  EXPECT_DOUBLE_EQ(first.rewards[2][at({1, 1})], 2.0 / 3.0);
  EXPECT_NEAR(first.reference[at({1, 1})], -3 * std::log(6.0), 1e-14);
  EXPECT_NEAR(first.reference[at({1, 1, 1})], -3 * std::log(6.0), 1e-14);
}

TEST(EnumTask, OptimaAreTheOracles) {
  const EnumTask task;
  const auto json = fixture("enum_task.json");
  ASSERT_EQ(json.at("rows").size(), 45u);
  for (const auto& row : json.at("rows")) {
    const PolicyScore score =
        task.optimal_score(row.at("w").get<Vector>(), row.at("alpha"));
    EXPECT_NEAR(score.value, row.at("V_star"), 1e-12);
    EXPECT_NEAR(score.kl, row.at("KL"), 1e-11);
    expect_near(score.rewards, row.at("ER"), 1e-12, "E R");
    expect_near(score.values, row.at("V_i"), 1e-12, "V_i");
  }
}

TEST(EnumTask, MixingTokensLosesAsMeasured) {
  const EnumTask task;
  const auto json = fixture("enum_task.json");
  for (const auto& row : json.at("token_mix_gap")) {
    const MixingGap gap = token_mixing_gap(task, row[1], row[0]);
    EXPECT_NEAR(gap.mean, row[2].get<double>(), 1e-12);
    EXPECT_NEAR(gap.largest, row[3].get<double>(), 1e-12);
  }
  for (const auto& row : json.at("dera_gap")) {
    const MixingGap gap = dera_gap(task, 0.01, row[0]);
    EXPECT_NEAR(gap.mean, row[1].get<double>(), 1e-12);
    EXPECT_NEAR(gap.largest, row[2].get<double>(), 1e-12);
  }
}

}  // namespace
}  // namespace moft::exact
