// Other runs beside a policy: each with its own reference, differences named,
// what cannot be compared refused.
#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/evaluate.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::made_up_report;

const std::vector<std::vector<double>> kThree{{0, 1}, {.5, .5}, {1, 0}};

PolicyFacts some_facts() {
  return {"base", "model.safetensors 01", "{post}", 1.0, 0.01, 40, 400};
}

Report measured() {
  Report report = made_up_report({"a", "b"}, kThree, 40);
  report.policy = some_facts();
  report.data = EvaluationData{"evaluation", "h.jsonl", "0a", 40, 0};
  complete_report(report);
  return report;
}

std::string all(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes)
    text += note + "\n";
  return text;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Baselines, BringTheirRemarksAndSayWhoseStepsDiffer) {
  Report report = measured();
  const Report same = report;
  Report better = report;
  better.policy->steps = 60;
  better.policy->answers = 600;
  for (FrontPoint& point : better.points) {
    for (auto& [name, scores] : point.per_prompt.rewards)
      for (double& x : scores)
        x += 0.1;
  }
  add_baselines(report, {{"longer", better}, {"equal", same}});
  const std::string notes = all(report.notes);
  EXPECT_TRUE(has(
      notes,
      "Against longer: higher value at 0 of 3 weightings, no difference shown "
      "at 0, lower at 3"));
  EXPECT_TRUE(has(notes, "Against equal: higher value at 0 of 3"));
  EXPECT_TRUE(has(
      notes,
      "longer was trained for 60 steps (600 answers), this policy for 40 steps "
      "(400 answers): the fronts are not compared at equal training."));
  EXPECT_FALSE(has(notes, "equal was trained"));
  EXPECT_FALSE(has(notes, "has another"));
  EXPECT_EQ(report.baselines.size(), 2u);
  EXPECT_FALSE(report.baselines[0].points[0].rewards.empty());
}

TEST(Baselines, KeepTheirOwnReference) {
  // The reference of the other base is better by 0.2 in both objectives.
  Report report = measured();
  Report other = measured();
  for (auto& [name, scores] : other.reference.per_prompt.rewards)
    scores.assign(40, 0.5);
  complete_report(other);
  const Interval own_gain = other.points[1].value_gain;
  add_baselines(report, {{"other", other}});
  const FrontPoint& point = report.baselines[0].points[1];
  EXPECT_NEAR(point.reference_value, 0.99 * 0.5, 1e-12);
  EXPECT_NEAR(report.points[1].reference_value, 0.99 * 0.3, 1e-12);
  // As in the other run's own report.
  EXPECT_EQ(point.value_gain.mean, own_gain.mean);
  EXPECT_EQ(point.value_gain.low, own_gain.low);
  EXPECT_NEAR(report.baselines[0].reference.rewards.at("a").mean, 0.5, 1e-12);
}

TEST(Baselines, NameAnotherBaseTemplateAndTemperature) {
  Report report = measured();
  const auto notes_with = [&](auto change) {
    Report mine = measured();
    Report other = measured();
    change(*other.policy);
    add_baselines(mine, {{"other", other}});
    return all(mine.notes);
  };
  EXPECT_TRUE(
      has(notes_with([](PolicyFacts& p) {
            p.base = "larger";
            p.base_hashes = "model.safetensors 02";
          }),
          "other has another base model (larger, not base)"));
  EXPECT_TRUE(
      has(notes_with(
              [](PolicyFacts& p) { p.base_hashes = "model.safetensors 02"; }),
          "other has another base model of the same name (base)"));
  EXPECT_TRUE(
      has(notes_with([](PolicyFacts& p) {
            p.prompt_template = "Short: {post}";
            p.temperature = 0.7;
          }),
          "other has another prompt template ('Short: {post}'), another "
          "temperature "
          "(0.7, not 1): its KL and its gain are to its own reference"));
  EXPECT_TRUE(
      has(notes_with([](PolicyFacts& p) { p.steps.reset(); }),
          "other was trained for an unknown number of steps"));
}

TEST(Baselines, RunAtTheNearestAlphaAreNamedAndComparedAtThisOne) {
  Report report = measured();
  Report other = measured();
  for (FrontPoint& point : other.points)
    point.alpha = 0.05;
  complete_report(other);
  add_baselines(report, {{"other", other}});
  const std::string notes = all(report.notes);
  EXPECT_TRUE(
      has(notes,
          "other does not answer to alpha 0.01; it ran at 0.05, the nearest "
          "that it "
          "answers to. The values compared count the KL at 0.01."));
  // The same answers, valued at the same alpha: no difference.
  EXPECT_TRUE(
      has(notes,
          "Against other: higher value at 0 of 3 weightings, no difference "
          "shown at "
          "3, lower at 0"));
}

TEST(Baselines, WithoutACommonWeightingSaySo) {
  Report report = measured();
  Report other = made_up_report({"a", "b"}, {{.3, .7}}, 40);
  complete_report(other);
  add_baselines(report, {{"other", other}});
  EXPECT_TRUE(has(
      all(report.notes),
      "other has no weighting in common with this front and is not compared"));
}

TEST(Baselines, OtherObjectivesOrPromptsAreRefused) {
  const auto refusal = [](const Report& other) {
    Report report = measured();
    try {
      add_baselines(report, {{"other", other}});
    } catch (const CallerError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  Report names = made_up_report({"a", "c"}, kThree, 40);
  complete_report(names);
  EXPECT_TRUE(
      has(refusal(names), "other has the objectives a, c, this run has a, b"));
  Report fewer = made_up_report({"a", "b"}, kThree, 30);
  complete_report(fewer);
  EXPECT_TRUE(has(refusal(fewer), "compare runs on the same prompts"));
  Report elsewhere = measured();
  elsewhere.data->hash = "0b";
  EXPECT_TRUE(has(refusal(elsewhere), "compare runs on the same prompts"));
  EXPECT_EQ(refusal(measured()), "");
}

TEST(Alphas, SpreadOverTheMixingAmountFromTheLowestToOne) {
  const KlRange range(0.01);
  const auto alphas = spread_alphas(range, 5);
  ASSERT_EQ(alphas.size(), 5u);
  for (int k = 0; k < 5; ++k)
    EXPECT_NEAR(range.mixing_amount(alphas[k]), k / 4.0, 1e-12);
  EXPECT_EQ(alphas.front(), 0.01);
  EXPECT_EQ(alphas.back(), 1);
  EXPECT_EQ(spread_alphas(range, 1), std::vector<double>{0.01});
  // Without any KL there is one strength only.
  EXPECT_EQ(spread_alphas(KlRange(0), 5), std::vector<double>{0});
  const auto linear = spread_alphas(KlRange(0.2, FMix::kLinear), 3);
  EXPECT_NEAR(linear[1], 0.6, 1e-12);
}

TEST(Alphas, NearestThatTheRangeAnswersTo) {
  EXPECT_EQ(nearest_alpha(KlRange(0.05), 0.01), 0.05);
  EXPECT_EQ(nearest_alpha(KlRange(0.05), 0.3), 0.3);
  EXPECT_EQ(nearest_alpha(KlRange(0), 0.3), 0);
  EXPECT_EQ(nearest_alpha(KlRange(0, FMix::kLinear), 0.3), 0.3);
}

}  // namespace
}  // namespace moft
