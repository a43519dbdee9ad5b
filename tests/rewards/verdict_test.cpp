// The reward kind `verdict` against transformers' T5. Reference values:
// tests/reference/models/classifiers.py.
#include "moft/rewards/verdict.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/rewards/make_objectives.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kModel =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers/t5";

VerdictOptions options_of(const std::string& word) {
  VerdictOptions options;
  options.model = kModel.string();
  options.text = "premise: {completion} is it so?";
  options.word = word;
  return options;
}

std::vector<double> score(
    const VerdictOptions& options, std::vector<std::string> completions) {
  static const Example kExample{.id = "e", .where = "posts.jsonl:1"};
  RewardBatch batch;
  batch.completions = std::move(completions);
  batch.prompts.assign(batch.rows(), "p");
  batch.token_counts.assign(batch.rows(), 1);
  batch.examples.assign(batch.rows(), &kExample);
  const Objectives objectives{{"v", ObjectiveOptions("verdict", options)}};
  return column_of(make_objectives(objectives, "").score(batch).raw, 0);
}

TEST(VerdictValue, IsTheClosedForm) {
  const double p = 0.3;
  const std::vector<double> alone = {std::log(p)};
  const auto value = [](const std::vector<double>& logs, LabelValue kind) {
    return verdict_value(logs, kind);
  };
  EXPECT_NEAR(value(alone, LabelValue::kProbability), p, 1e-15);
  EXPECT_NEAR(value(alone, LabelValue::kLogit), std::log(p), 1e-15);
  EXPECT_NEAR(value(alone, LabelValue::kLogOdds), std::log(p / (1 - p)), 1e-14);
  EXPECT_TRUE(std::isfinite(value({0.0}, LabelValue::kLogOdds)));
  const std::vector<double> among = {std::log(0.3), std::log(0.1)};
  EXPECT_NEAR(value(among, LabelValue::kProbability), 0.75, 1e-15);
  EXPECT_NEAR(value(among, LabelValue::kLogit), std::log(0.75), 1e-14);
  EXPECT_NEAR(value(among, LabelValue::kLogOdds), std::log(3.0), 1e-14);
  EXPECT_NEAR(value({-900.0, 0.0}, LabelValue::kLogit), -900.0, 1e-9);
}

TEST(VerdictReward, EqualsTransformers) {
  Json expected;
  std::ifstream(kModel / "expected.json") >> expected;
  std::vector<std::string> texts;
  for (const Json& entry : expected)
    texts.push_back(entry["text"]);
  for (const char* word : {"yes", "no", "1", "bakery"}) {
    VerdictOptions options = options_of(word);
    options.value = LabelValue::kLogit;
    const std::vector<double> given = score(options, texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const double wanted = expected[i]["words"][word];
      EXPECT_NEAR(given[i], wanted, 1e-5 * std::max(1.0, std::abs(wanted)))
          << word << ": " << texts[i];
    }
  }
  VerdictOptions options = options_of("yes");
  options.against = {"no"};
  const double yes = std::exp(expected[0]["words"]["yes"].get<double>());
  const double no = std::exp(expected[0]["words"]["no"].get<double>());
  EXPECT_NEAR(score(options, {texts[0]})[0], yes / (yes + no), 1e-6);
}

TEST(VerdictReward, JudgesSentences) {
  VerdictOptions options = options_of("yes");
  options.value = LabelValue::kLogit;
  const auto alone = score(options, {"One shop.", "Two shops."});
  options.unit = JudgedUnit::kSentence;
  EXPECT_NEAR(
      score(options, {"One shop. Two shops."})[0],
      (alone[0] + alone[1]) / 2,
      1e-5);
}

TEST(VerdictReward, AWordIsNotAgainstItself) {
  VerdictOptions options = options_of("yes");
  options.against = {"no", "yes"};
  EXPECT_THROW(options.check("v.verdict."), CallerError);
  options.against = {"no"};
  options.check("v.verdict.");
}

}  // namespace
}  // namespace moft
