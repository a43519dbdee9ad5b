// `moft reward score`: a recipe's objectives on given completions.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"

namespace moft::test {
namespace {

class RewardScore : public testing::Test {
 protected:
  Ended score(const std::string& objectives, const Words& more = {}) const {
    std::ofstream(scratch_.path() / "rewards.yaml") << objectives;
    std::ofstream(scratch_.path() / "rows.jsonl")
        << R"({"id": "a", "completion": "one two three!", "ref": "two"})"
           "\n"
        << R"({"completion": "two", "ref": "two"})"
           "\n";
    return run_program(
        scratch_.path(),
        with(
            {"reward", "score", "rewards.yaml", "--input", "rows.jsonl"},
            more));
  }

  Scratch scratch_;
};

const std::string kRewards =
    "objectives:\n"
    "  brief: {length: {full_at: 1, zero_at: 5}, range: [0, 10]}\n"
    "  keen: {regex: {pattern: '!'}}\n"
    "  near: {rouge: {variant: rouge1, field: ref}}\n";

// Raw rewards: ranges play no part. ROUGE-1 F1 of three words against one.
TEST_F(RewardScore, PrintsTheRawRewardsOfEveryRow) {
  const Ended said = score(kRewards);
  EXPECT_EQ(said.code, 0) << said.errors;
  EXPECT_EQ(
      said.output,
      "{\"id\":\"a\",\"brief\":0.5,\"keen\":1.0,\"near\":50.0}\n"
      "{\"id\":\"2\",\"brief\":1.0,\"keen\":0.0,\"near\":100.0}\n");
}

TEST_F(RewardScore, TakesOverridesAndTheRecipeOfARun) {
  const Ended said = score(
      "name: whole\noutput: run\npolicy: {model: nowhere}\n" + kRewards,
      {"objectives.keen.regex.invert=true"});
  EXPECT_EQ(said.code, 0) << said.errors;
  EXPECT_TRUE(has(said.output, "\"brief\":0.5,\"keen\":0.0")) << said.output;
}

TEST_F(RewardScore, SaysWhatTheInputDoesNotHave) {
  const Ended tokens = score(
      "objectives:\n  brief: {length: {unit: tokens, full_at: 1, zero_at: "
      "5}}\n");
  EXPECT_EQ(tokens.code, 2);
  EXPECT_TRUE(has(tokens.errors, "objective brief: counts tokens"))
      << tokens.errors;
  const Ended field = score("objectives:\n  near: {rouge: {field: summary}}\n");
  EXPECT_EQ(field.code, 2);
  EXPECT_TRUE(has(field.errors, "rows.jsonl:1")) << field.errors;
  const Ended none = score("name: x\n");
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(has(none.errors, "objectives")) << none.errors;
}

}  // namespace
}  // namespace moft::test
