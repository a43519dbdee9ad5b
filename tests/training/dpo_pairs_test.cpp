// Rows as pairs of answers with scores.
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/models/load.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/training/dpo/pairs.h"

#include "tests/support/tiny_model.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

using Scores = std::array<std::vector<double>, 2>;

class PreferencePairs : public testing::Test {
 protected:
  PreferencePairs() { write_tiny_model(scratch_.path() / "model"); }

  std::vector<Example> read(const std::string& lines) const {
    const auto file = scratch_.path() / "pairs.jsonl";
    std::ofstream(file) << lines;
    return read_examples(file);
  }
  Scores scores(const std::string& row) const {
    return preference_scores(read(row).at(0), objectives_);
  }
  std::string error_of(const std::string& row) const {
    try {
      scores(row);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "none";
  }
  DpoPairs encode(const std::string& lines) const {
    const LoadedModel loaded = load_language_model(scratch_.path() / "model");
    const auto tokenizer = load_tokenizer(scratch_.path() / "model");
    return encode_dpo_pairs(
        read(lines), {options_, objectives_, *tokenizer, loaded.model->info()});
  }

  Scratch scratch_;
  DpoDataOptions options_;
  PreferenceObjectives objectives_;
};

TEST_F(PreferencePairs, ScoresByNameAreMappedInTheOrderOfTheObjectives) {
  objectives_["harmless"] = {};
  objectives_["helpful"].range = {0.0, 4.0};
  EXPECT_EQ(
      scores(R"({"scores": {"helpful": [4, 1], "harmless": [0.5, 1]}})"),
      (Scores{{{0.5, 1.0}, {1.0, 0.25}}}));
}

// UltraFeedback's binarized rows and PKU-SafeRLHF's.
TEST_F(PreferencePairs, OtherFieldsAndLabelsAreScoresToo) {
  objectives_["quality"].fields_of_each = {"score_chosen", "score_rejected"};
  objectives_["quality"].range = {1.0, 10.0};
  objectives_["safe"].better = "safer_response_id";
  EXPECT_EQ(
      scores(
          R"({"score_chosen": 10, "score_rejected": 1, "safer_response_id": 1})"),
      (Scores{{{1.0, 0.0}, {0.0, 1.0}}}));
  EXPECT_EQ(
      scores(
          R"({"score_chosen": 1, "score_rejected": 1, "safer_response_id": null})"),
      (Scores{{{0.0, 0.5}, {0.0, 0.5}}}));
}

TEST_F(PreferencePairs, TrlPairsNeedNoScores) {
  objectives_["preferred"].chosen_is_better = true;
  EXPECT_EQ(scores(R"({"prompt": "a"})"), (Scores{{{1.0}, {0.0}}}));
}

TEST_F(PreferencePairs, AScoreThatIsMissingNamesRowObjectiveAndField) {
  objectives_["helpful"] = {};
  const std::string error = error_of(R"({"scores": {"harmless": [1, 2]}})");
  for (const char* part :
       {"pairs.jsonl:1", "helpful", "scores.helpful", "objectives.helpful"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_NE(
      error_of(R"({"scores": {"helpful": [1]}})").find("two numbers"),
      std::string::npos);
}

TEST_F(PreferencePairs, AnswersEndAndTheirTextIsNotMarkup) {
  objectives_["preferred"].chosen_is_better = true;
  const auto pairs =
      encode(R"({"prompt": "one", "chosen": "a", "rejected": "b"})").pairs;
  const LoadedModel loaded = load_language_model(scratch_.path() / "model");
  const auto& ends = loaded.model->info().end_tokens;
  for (const TokenIds& answer : pairs.at(0).answers) {
    EXPECT_GE(answer.size(), 2U);
    EXPECT_NE(std::ranges::find(ends, answer.back()), ends.end());
  }
  EXPECT_NE(pairs.at(0).answers[0], pairs.at(0).answers[1]);
  EXPECT_FALSE(pairs.at(0).prompt.ids.empty());
  EXPECT_FALSE(pairs.at(0).prompt.pieces.empty());
}

TEST_F(PreferencePairs, TheAnswerOfMessagesIsTheLastOfThem) {
  objectives_["preferred"].chosen_is_better = true;
  const auto text =
      encode(R"({"prompt": "one", "chosen": "a", "rejected": "b"})");
  const auto messages = encode(
      R"({"prompt": "one", "chosen": [{"role": "user", "content": "one"}, )"
      R"({"role": "assistant", "content": "a"}], )"
      R"("rejected": [{"role": "assistant", "content": "b"}]})");
  EXPECT_EQ(messages.pairs.at(0).answers, text.pairs.at(0).answers);
}

TEST_F(PreferencePairs, LongAnswersAreLeftOutOrRefused) {
  objectives_["preferred"].chosen_is_better = true;
  options_.max_completion_tokens = 3;
  const std::string rows =
      "{\"prompt\": \"one\", \"chosen\": \"a\", \"rejected\": \"b\"}\n"
      "{\"prompt\": \"two\", \"chosen\": \"one two three four\", "
      "\"rejected\": \"b\"}\n";
  EXPECT_THROW(encode(rows), CallerError);
  options_.too_long = TooLong::kSkip;
  const DpoPairs pairs = encode(rows);
  EXPECT_EQ(pairs.pairs.size(), 1U);
  EXPECT_EQ(pairs.lengths.skipped, 1);
}

TEST(PreferenceObjectives, RefuseTwoWaysAndEmptyRanges) {
  PreferenceObjective objective;
  objective.better = "label";
  objective.chosen_is_better = true;
  EXPECT_THROW(objective.check("objectives.a."), CallerError);
  objective = {};
  objective.range = {1.0, 1.0};
  EXPECT_THROW(objective.check("objectives.a."), CallerError);
  objective = {};
  objective.fields_of_each = {"one"};
  EXPECT_THROW(objective.check("objectives.a."), CallerError);
  EXPECT_THROW(check_preference_objectives({}, "objectives"), CallerError);
}

}  // namespace
}  // namespace moft::test
