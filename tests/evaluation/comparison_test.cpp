// Methods side by side: known differences, ledgers, seeds and the bank.
#include "moft/evaluation/comparison.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/comparison_text.h"
#include "moft/evaluation/evaluate.h"
#include "moft/evaluation/front_plot.h"
#include "moft/evaluation/page.h"
#include "moft/evaluation/report.h"
#include "moft/evaluation/report_json.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::fresh_folder;
using testing::kFive;
using testing::made_up_report;
using testing::read_text;

constexpr std::size_t kPrompts = 40;

// A front whose rewards are shifted by `inside`, at the vertices by `vertices`;
// its training scored this number of answers.
Report shifted(double inside, double vertices, std::int64_t answers) {
  Report report = made_up_report({"a", "b"}, kFive, kPrompts);
  report.policy = PolicyFacts{"base", "h", "{post}", 1.0, 0.01, 40, answers};
  report.data = EvaluationData{"final", "h.jsonl", "0a", kPrompts, 0};
  for (FrontPoint& point : report.points) {
    const bool vertex =
        point.weights.at("a") == 0 || point.weights.at("a") == 1;
    for (auto& [name, scores] : point.per_prompt.rewards)
      for (double& x : scores)
        x += vertex ? vertices : inside;
  }
  complete_report(report);
  return report;
}

std::string refusal(Report report, const CompareOptions& options) {
  try {
    compare_methods(report, options);
  } catch (const CallerError& error) {
    return error.what();
  }
  return {};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Comparison, DifferencesAreThoseThatWereBuiltIn) {
  Report report = shifted(0.1, -0.05, 1000);
  add_baselines(
      report, {{"flat", shifted(0, 0, 1000)}, {"longer", shifted(0, 0, 1500)}});
  ASSERT_TRUE(report.comparison);
  const Comparison& comparison = *report.comparison;
  ASSERT_EQ(comparison.methods.size(), 3u);
  EXPECT_EQ(comparison.methods[0].name, "policy");
  ASSERT_EQ(comparison.pairs.size(), 2u);
  const ComparedPair& pair = comparison.pairs[0];
  EXPECT_EQ(pair.rival, "flat");
  // Every prompt has the same difference, so the bounds meet.
  const auto expect = [](const std::optional<Effect>& effect, double value) {
    ASSERT_TRUE(effect);
    EXPECT_NEAR(effect->mean, value, 1e-12);
    EXPECT_NEAR(effect->lower, value, 1e-12);
    EXPECT_NEAR(effect->upper, value, 1e-12);
    EXPECT_EQ(effect->seeds.size(), 1u);
  };
  expect(pair.interior, 0.99 * 0.1);
  expect(pair.vertices, 0.99 * -0.05);
  expect(pair.value, 0.99 * (3 * 0.1 - 2 * 0.05) / 5);
  expect(pair.reward, (3 * 0.1 - 2 * 0.05) / 5);
  expect(pair.reach, 0);
  EXPECT_EQ(pair.won, 3u);
  EXPECT_EQ(pair.lost, 2u);
  EXPECT_EQ(pair.tied, 0u);
  EXPECT_FALSE(pair.dominates);
  EXPECT_FALSE(pair.dominated);
  EXPECT_NEAR(*pair.smallest_bound, -0.99 * 0.05, 1e-12);
  // Figure 4's bar: the loss to the rival as a share of its value.
  ASSERT_EQ(pair.weightings.size(), 5u);
  const double rival = report.baselines[0].points[2].value.mean;
  EXPECT_NEAR(*pair.weightings[2].bar, -0.99 * 0.1 / std::abs(rival), 1e-12);
}

TEST(Comparison, DominanceNeedsEveryWeighting) {
  Report report = shifted(0.1, 0.01, 1000);
  add_baselines(
      report, {{"below", shifted(0, 0, 1000)}, {"above", shifted(1, 1, 1000)}});
  EXPECT_TRUE(report.comparison->pairs[0].dominates);
  EXPECT_EQ(report.comparison->pairs[0].won, 5u);
  EXPECT_TRUE(report.comparison->pairs[1].dominated);
  EXPECT_EQ(report.comparison->pairs[1].lost, 5u);
}

TEST(Comparison, LedgersAreEqualWithinTwoPercentOfTheLarger) {
  Report report = shifted(0, 0, 1000);
  Report unknown = shifted(0, 0, 1000);
  unknown.policy->answers.reset();
  add_baselines(
      report,
      {{"same", shifted(0, 0, 1000)},
       {"near", shifted(0, 0, 1020)},
       {"far", shifted(0, 0, 1021)},
       {"unknown", unknown}});
  const auto& pairs = report.comparison->pairs;
  EXPECT_TRUE(pairs[0].equal_ledger);
  EXPECT_TRUE(pairs[1].equal_ledger);
  EXPECT_FALSE(pairs[2].equal_ledger);
  EXPECT_FALSE(pairs[3].equal_ledger);
  EXPECT_EQ(
      pairs[2].ledger, "1000 answers scored in training here, 1021 there");
  EXPECT_EQ(
      pairs[3].ledger,
      "it is not known how many answers unknown was trained on");
  EXPECT_TRUE(is_reference_only(report, "far"));
  EXPECT_FALSE(is_reference_only(report, "near"));
  EXPECT_FALSE(is_reference_only(report, "policy"));
}

TEST(Comparison, SeedsArePairedInTheOrderGiven) {
  Report report = shifted(0.10, 0.10, 1000);
  add_baselines(
      report,
      {{"a2", shifted(0.16, 0.16, 1000)},
       {"b1", shifted(0.02, 0.02, 1000)},
       {"b2", shifted(0.04, 0.04, 1000)}},
      {.methods = {{"ours", {"policy", "a2"}}, {"theirs", {"b1", "b2"}}}});
  const Comparison& comparison = *report.comparison;
  ASSERT_EQ(comparison.methods.size(), 2u);
  EXPECT_EQ(comparison.methods[0].name, "ours");
  EXPECT_EQ(comparison.methods[1].runs, (std::vector<std::string>{"b1", "b2"}));
  EXPECT_EQ(*comparison.methods[1].cost.answers, 1000);
  const ComparedPair& pair = comparison.pairs.at(0);
  EXPECT_EQ(pair.seeds, 2u);
  ASSERT_EQ(pair.value->seeds.size(), 2u);
  EXPECT_NEAR(pair.value->seeds[0], 0.99 * 0.08, 1e-12);
  EXPECT_NEAR(pair.value->seeds[1], 0.99 * 0.12, 1e-12);
  EXPECT_NEAR(pair.value->mean, 0.99 * 0.10, 1e-12);
  // A quarter of the draws takes the lower seed twice.
  EXPECT_NEAR(pair.value->lower, 0.99 * 0.08, 1e-12);
  EXPECT_NEAR(pair.value->upper, 0.99 * 0.12, 1e-12);
  // The figures are means over the seeds.
  EXPECT_NEAR(
      comparison.methods[0].figures.mean_value -
          comparison.methods[1].figures.mean_value,
      0.99 * 0.10,
      1e-12);
}

TEST(Comparison, AgainstABankShareAndSteeringErrors) {
  // The bank moves .65 (sqrt(w) - sqrt(.5)) from the middle. This policy moves
  // half as far.
  Report report = shifted(0, 0, 1000);
  for (FrontPoint& point : report.points) {
    for (auto& [name, scores] : point.per_prompt.rewards)
      for (double& x : scores)
        x -= 0.5 * 0.65 * std::sqrt(point.weights.at(name));
  }
  complete_report(report);
  add_baselines(report, {{"bank", shifted(0, 0, 5000)}}, {.bank = "bank"});
  ASSERT_EQ(report.comparison->against_bank.size(), 1u);
  const AgainstBank& found = report.comparison->against_bank[0];
  EXPECT_EQ(found.method, "policy");
  EXPECT_NEAR(*found.share, 0.5, 1e-9);
  const auto error = [](double w) {
    return 0.5 * 0.65 * std::abs(std::sqrt(w) - std::sqrt(0.5));
  };
  EXPECT_NEAR(*found.miscalibration, (error(0.75) + error(1)) / 2, 1e-9);
  EXPECT_NEAR(*found.side_effects, (error(0.25) + error(0)) / 2, 1e-9);
}

TEST(Comparison, MethodsThatCannotBeAreRefused) {
  Report report = shifted(0, 0, 1000);
  add_baselines(report, {{"b", shifted(0, 0, 1000)}});
  EXPECT_EQ(refusal(report, {}), "");
  EXPECT_TRUE(has(
      refusal(report, {.methods = {{"m", {"c"}}}}), "run c was not evaluated"));
  EXPECT_TRUE(
      has(refusal(report, {.methods = {{"m", {"b"}}, {"n", {"b"}}}}),
          "run b is in a method already"));
  EXPECT_TRUE(has(refusal(report, {.methods = {{"m", {}}}}), "has no runs"));
  EXPECT_TRUE(
      has(refusal(report, {.methods = {{"policy", {"b"}}}}),
          "two methods are called policy"));
  EXPECT_TRUE(
      has(refusal(report, {.bank = "c"}), "the bank c is not among the"));
}

TEST(Comparison, IsReadBackAndShownInEveryForm) {
  Report report = shifted(0.1, 0, 1000);
  report.run_cost.emplace();
  report.run_cost->answers = 1000;
  report.run_cost->seconds = 60.5;
  add_baselines(
      report,
      {{"soup|<b>", shifted(0, 0, 1000)}, {"longer", shifted(0, 0, 1500)}},
      {.bank = "longer"});
  const std::string json = report_to_json(report);
  const Report back = report_from_json(json, "report.json");
  EXPECT_EQ(report_to_json(back), json);
  EXPECT_EQ(*back.comparison->methods[0].cost.seconds, 60.5);
  EXPECT_TRUE(back.comparison->pairs[0].equal_ledger);

  const std::string markdown = comparison_markdown(report);
  const auto at = [&](const char* text) { return markdown.find(text); };
  EXPECT_LT(at("## Differences at an equal ledger"), at("| soup\\|<b> | +"));
  EXPECT_LT(at("| soup\\|<b> | +"), at("## References"));
  EXPECT_LT(at("## References"), at("| longer | +"));
  EXPECT_TRUE(
      has(markdown, "1000 answers scored in training here, 1500 there"));
  EXPECT_TRUE(has(markdown, "longer (reference)"));

  const std::string page = report_page(report);
  EXPECT_TRUE(has(page, "soup|&lt;b&gt;"));
  EXPECT_FALSE(has(page, "soup|<b>"));
  EXPECT_TRUE(has(page, "Against the bank longer"));
  // The rival of equal training is solid, the reference dashed.
  const std::string picture = front_svg(report);
  EXPECT_TRUE(has(picture, "solid neutral"));
  EXPECT_TRUE(has(picture, "dashed neutral"));

  const std::string csv = comparison_csv(report);
  EXPECT_TRUE(has(csv, "policy,,answers,,,,1000,,,,\n"));
  EXPECT_TRUE(has(csv, "\npolicy,longer,value_at,0.5,0.5,0.01,"));
  EXPECT_TRUE(has(csv, ",no\n"));
}

TEST(Comparison, FilesGoWithTheBaselines) {
  const auto folder = fresh_folder("comparison");
  Report report = shifted(0.1, 0, 1000);
  const Report alone = report;
  add_baselines(report, {{"b", shifted(0, 0, 1000)}});
  write_report(folder, report);
  EXPECT_EQ(read_text(folder / "comparison.csv"), comparison_csv(report));
  EXPECT_EQ(read_text(folder / "comparison.md"), comparison_markdown(report));
  write_report(folder, alone);
  EXPECT_FALSE(std::filesystem::exists(folder / "comparison.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder / "comparison.md"));
  EXPECT_EQ(comparison_csv(alone), "");
}

}  // namespace
}  // namespace moft
