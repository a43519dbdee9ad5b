// Fronts of tier 1 whose numbers are known without training, or agree with
// each other after a little of it.
#include "tests/trained/enum_runs.h"

#include <cmath>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "verify/enum_policy.h"

namespace moft::exact {
namespace {

using Json = nlohmann::ordered_json;

EnumRunOptions short_run(const std::string& unit, double rate) {
  EnumRunOptions options;
  options.unit = unit;
  options.steps = 18;
  options.learning_rate = rate;
  options.output = "-";
  return options;
}

Json front_of(const Json& run, const std::string& method, int step) {
  for (const Json& front : run["fronts"]) {
    if (front["method"] == method && front["step"] == step) return front;
  }
  ADD_FAILURE() << "no front " << method << " at step " << step;
  return {};
}

EnumPolicy reference_policy() {
  EnumPolicyOptions options =
      enum_policy_options(ModelFamily::kLlama, EnumVariant::kFull);
  options.kl_strength = 0.01;
  options.objectives = 2;
  return EnumPolicy(options);
}

TEST(ProtocolWeightings, AreThoseOfTheProtocol) {
  const auto pair = protocol_weightings(2);
  ASSERT_EQ(pair.size(), 11u);
  EXPECT_EQ(pair[3].values(), (std::vector<double>{0.3, 0.7}));
  const auto three = protocol_weightings(3);
  ASSERT_EQ(three.size(), 13u);
  std::set<std::vector<double>> different;
  std::vector<double> mean(3, 0.0);
  int vertices = 0;
  for (const Weighting& w : three) {
    different.insert(w.values());
    for (std::size_t i = 0; i < 3; ++i) {
      mean[i] += w[i] / 13;
      vertices += w[i] == 1.0;
    }
  }
  EXPECT_EQ(different.size(), 13u);
  EXPECT_EQ(vertices, 3);
  for (const double x : mean)
    EXPECT_NEAR(x, 1.0 / 3, 1e-12);  // symmetric
}

// At learning rate 0 every front is that of the reference.
TEST(EnumRuns, WithoutLearningEveryFrontIsTheReferences) {
  const EnumPolicy reference = reference_policy();
  for (const char* unit : {"full", "lora", "experts"}) {
    const Json run = run_enum_unit(short_run(unit, 0.0));
    ASSERT_FALSE(run["fronts"].empty());
    for (const Json& front : run["fronts"]) {
      const auto weightings = protocol_weightings(2);
      for (std::size_t k = 0; k < weightings.size(); ++k) {
        const EnumScore score = reference.score({weightings[k], 0.01});
        EXPECT_NEAR(front["kl"][k].get<double>(), 0.0, 1e-12);
        EXPECT_NEAR(front["value"][k].get<double>(), score.value, 1e-6);
        EXPECT_NEAR(
            front["optimum"][k].get<double>(), score.optimal_value, 1e-9);
        for (std::size_t i = 0; i < 2; ++i) {
          EXPECT_NEAR(
              front["rewards"][k][i].get<double>(), score.rewards[i], 1e-6);
        }
      }
    }
  }
}

// Both are expert i at vertex i, and neither beats the optimum.
TEST(EnumRuns, SoupAndTokenMixtureMeetAtTheVertices) {
  const Json run = run_enum_unit(short_run("experts", 5e-3));
  double moved = 0.0;
  for (const int step : {6, 9, 18}) {
    const Json soup = front_of(run, "soup", step);
    const Json mod = front_of(run, "mod", step);
    EXPECT_EQ(soup["completions"], 2 * step * 64);
    for (const std::size_t k : {0u, 10u}) {
      EXPECT_NEAR(
          soup["value"][k].get<double>(), mod["value"][k].get<double>(), 1e-6);
      EXPECT_NEAR(
          soup["kl"][k].get<double>(), mod["kl"][k].get<double>(), 1e-6);
      moved += soup["kl"][k].get<double>();
    }
    for (std::size_t k = 0; k < 11; ++k) {
      for (const Json& front : {soup, mod}) {
        EXPECT_LT(
            front["value"][k].get<double>(), front["optimum"][k].get<double>());
      }
    }
  }
  EXPECT_GT(moved, 0.01);
}

TEST(EnumRuns, SameSeedSameNumbers) {
  const Json first = run_enum_unit(short_run("words", 5e-3));
  const Json second = run_enum_unit(short_run("words", 5e-3));
  EXPECT_EQ(first["fronts"], second["fronts"]);
  EXPECT_EQ(first["fronts"].size(), 4u);
}

// n = 1 is the reference; n = 2 by all pairs of answers, the first of equal
// scores taken, so that the law of a class is the reference's.
TEST(EnumRuns, BestOfNFollowsItsLaw) {
  const Json run = run_enum_unit(short_run("reference", 0.0));
  const EnumPolicy reference = reference_policy();
  const auto weightings = protocol_weightings(2);
  for (const std::size_t k : {0u, 4u, 10u}) {
    const auto& w = weightings[k];
    double reward = 0.0;
    for (std::size_t p = 0; p < reference.prompts().size(); ++p) {
      const EnumeratedProblem& problem = reference.problem(p);
      const auto score = [&](std::size_t a) {
        return w[0] * problem.rewards[0][a] + w[1] * problem.rewards[1][a];
      };
      for (std::size_t a = 0; a < problem.outputs(); ++a) {
        for (std::size_t b = 0; b < problem.outputs(); ++b) {
          reward += 0.25 * std::exp(problem.reference[a]) *
                    std::exp(problem.reference[b]) *
                    std::max(score(a), score(b));
        }
      }
    }
    const Json two = front_of(run, "best-of-2", 0);
    const auto& rewards = two["rewards"][k];
    EXPECT_NEAR(
        w[0] * rewards[0].get<double>() + w[1] * rewards[1].get<double>(),
        reward,
        1e-6);
    const Json one = front_of(run, "best-of-1", 0);
    EXPECT_NEAR(one["kl"][k].get<double>(), 0.0, 1e-12);
    // KL is at most log n - (n - 1) / n.
    EXPECT_LT(two["kl"][k].get<double>(), std::log(2.0) - 0.5 + 1e-9);
  }
}

// At mixing amount 0 DeRa is the trained model, at 1 the reference, and the
// path of a full set ends at KL 0 exactly.
TEST(EnumRuns, KlStrengthsEndAtTheReference) {
  EnumRunOptions options = short_run("dera", 5e-3);
  options.objectives = 1;
  const Json dera = run_enum_unit(options)["fronts"][0];
  const double alphas[] = {.01, .013289, .019802, .038835, 1, .1, .3};
  for (std::size_t k = 0; k < 7; ++k)
    EXPECT_NEAR(dera["alphas"][k].get<double>(), alphas[k], 1e-6);
  EXPECT_GT(dera["kl"][0].get<double>(), 1e-3);
  EXPECT_NEAR(dera["kl"][4].get<double>(), 0.0, 1e-12);
  for (const std::size_t k : {1u, 2u, 3u, 4u})
    EXPECT_LT(dera["kl"][k], dera["kl"][k - 1]);
  options.unit = "kl-full";
  const Json full = front_of(run_enum_unit(options), "kl-full", 18);
  EXPECT_EQ(full["kl"][4], 0.0);
  EXPECT_GT(full["kl"][0].get<double>(), 1e-3);
}

TEST(EnumRuns, WhatCannotRunIsNamed) {
  EnumRunOptions options = short_run("soup", 0.0);
  EXPECT_THROW(run_enum_unit(options), CallerError);
  options.unit = "full";
  options.steps = 20;
  EXPECT_THROW(run_enum_unit(options), CallerError);
  for (const auto& [unit, objectives] :
       {std::pair("bank", 3), std::pair("full", 1), std::pair("dera", 2)}) {
    options = short_run(unit, 0.0);
    options.objectives = objectives;
    EXPECT_THROW(run_enum_unit(options), CallerError) << unit;
  }
}

}  // namespace
}  // namespace moft::exact
