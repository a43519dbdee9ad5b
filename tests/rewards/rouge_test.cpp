// ROUGE and the Porter stemmer against tests/reference/exact (f_rouge.py).
#include "moft/rewards/rouge.h"

#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/rewards/porter_stemmer.h"

namespace moft {
namespace {

nlohmann::json fixture(const std::string& name) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/exact/" + name);
  return nlohmann::json::parse(file);
}

const std::map<std::string, RougeVariant>& variants() {
  static const std::map<std::string, RougeVariant> kVariants = {
      {"rouge1", RougeVariant::kOne},
      {"rouge2", RougeVariant::kTwo},
      {"rougeL", RougeVariant::kL},
      {"rougeLsum", RougeVariant::kLsum}};
  return kVariants;
}

void expect_score(
    const RougeScore& score, const nlohmann::json& json, double tolerance) {
  EXPECT_NEAR(score.precision, json[0].get<double>(), tolerance);
  EXPECT_NEAR(score.recall, json[1].get<double>(), tolerance);
  EXPECT_NEAR(score.f1, json[2].get<double>(), tolerance);
}

TEST(PorterStemmer, GivesNltksStems) {
  const auto stems = fixture("porter.json");
  EXPECT_GT(stems.size(), 1000u);
  for (const auto& [word, stem] : stems.items())
    EXPECT_EQ(porter_stem(word), stem.get<std::string>()) << word;
}

TEST(Rouge, ScoresAllPairsAsTheReference) {
  const auto pairs = fixture("rouge.json").at("pairs");
  ASSERT_EQ(pairs.size(), 48u);
  for (const auto& pair : pairs) {
    SCOPED_TRACE(pair.at("name").get<std::string>());
    const std::string target = pair.at("target");
    const std::string prediction = pair.at("prediction");
    for (const bool stem : {false, true}) {
      const auto scores = pair.at(stem ? "stem" : "nostem");
      for (const auto& [name, variant] : variants()) {
        SCOPED_TRACE(name);
        expect_score(
            rouge(variant, target, prediction, {.stem = stem}),
            scores.at(name),
            1e-15);
      }
    }
    const RougeScore t5 =
        rouge(RougeVariant::kLsum, target, prediction, {.t5_newlines = true});
    EXPECT_NEAR(100 * t5.f1, pair.at("t5_rougeLsum_f100"), 1e-13);
  }
}

// The numbers that rouge-score's own tests took from ROUGE-1.5.5.
TEST(Rouge, ScoresAsThePerlScript) {
  for (const auto& unit : fixture("rouge.json").at("google_unit_tests")) {
    const RougeScore score = rouge(
        variants().at(unit.at("key")),
        unit.at("target").get<std::string>(),
        unit.at("prediction").get<std::string>(),
        {.stem = unit.at("stem")});
    expect_score(
        score, {unit.at("precision"), unit.at("recall"), unit.at("f")}, 6e-6);
  }
}

TEST(Rouge, TakesTheSameOfEquallyLongSubsequences) {
  const auto ties = fixture("rouge.json").at("ties");
  ASSERT_EQ(ties.size(), 12u);
  for (const auto& tie : ties) {
    const RougeScore score = rouge(
        RougeVariant::kLsum,
        tie.at("target").get<std::string>(),
        tie.at("prediction").get<std::string>());
    expect_score(score, tie.at("rougeLsum"), 1e-15);
    EXPECT_NE(score.f1, tie.at("wrong_tie_rule")[2].get<double>());
  }
}

TEST(Rouge, LowersTwoLettersIntoAscii) {
  const auto f1 = [](const char* a, const char* b) {
    return rouge(RougeVariant::kOne, a, b).f1;
  };
  EXPECT_EQ(f1("\u212aelvin", "kelvin"), 1.0);
  EXPECT_EQ(f1("\u0130stanbul", "i stanbul"), 1.0);
  EXPECT_EQ(f1("caf\u00e9s", "caf s"), 1.0);
  EXPECT_EQ(f1("a\xff\xc4", "a"), 1.0);
  EXPECT_EQ(f1("\xe2\x84", ""), 0.0);
}

TEST(Rouge, LongerGrams) {
  const RougeScore score = rouge_n(3, "a b c d", "x a b c d");
  EXPECT_DOUBLE_EQ(score.precision, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(score.recall, 1.0);
  EXPECT_EQ(rouge_n(5, "a b c d", "a b c d").f1, 0.0);
}

TEST(RougeReward, IsAHundredTimesF1OfTheNamedField) {
  const Example example{
      .id = "e1",
      .fields = {{"summary", "the cat sat . the dog ran . end"}},
      .where = "posts.jsonl:1"};
  RewardBatch batch;
  batch.completions = {"the dog ran . the cat sat . end", ""};
  batch.prompts = {"p", "p"};
  batch.token_counts = {8, 0};
  batch.examples = {&example, &example};
  const RougeReward plain("r", {.field = "summary"});
  EXPECT_NEAR(plain.score(batch)[0], 57.14285714285714, 1e-12);
  EXPECT_EQ(plain.score(batch)[1], 0.0);
  const RougeReward t5("r", {.field = "summary", .t5_newlines = true});
  EXPECT_EQ(t5.score(batch)[0], 100.0);
  EXPECT_THROW(RougeReward("r", {.field = "title"}).score(batch), CallerError);
}

}  // namespace
}  // namespace moft
