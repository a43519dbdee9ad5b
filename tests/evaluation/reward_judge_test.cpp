// Rewards as judges.
#include "moft/evaluation/reward_judge.h"

#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/judging.h"

namespace moft {
namespace {

// sign * the length of the answer; what is "?" has no reward. Counts the texts
// that it scores, and wants the article as the prompt.
class Length : public Reward {
 public:
  Length(std::string name, double sign)
      : Reward(std::move(name)), sign_(sign) {}
  bool may_be_missing() const override { return true; }

  static inline std::size_t scored = 0;

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      EXPECT_EQ(batch.prompts[row], "article " + batch.examples[row]->id);
      const std::string& text = batch.completions[row];
      values.push_back(
          text == "?" ? std::numeric_limits<double>::quiet_NaN()
                      : sign_ * static_cast<double>(text.size()));
      ++scored;
    }
    return values;
  }

 private:
  double sign_;
};

ObjectiveSet objectives(const std::vector<std::string>& names) {
  std::vector<Objective> made;
  for (const std::string& name : names) {
    const double sign = name == "concise" ? -1 : 1;
    made.push_back({name, std::make_shared<Length>(name, sign), 0, 1});
  }
  return ObjectiveSet(std::move(made));
}

const Example kOne{.id = "1", .fields = {}, .where = "a.jsonl:1"};
const Example kTwo{.id = "2", .fields = {}, .where = "a.jsonl:2"};

TEST(RewardJudges, PreferTheHigherRewardInBothOrders) {
  RewardJudge judge(objectives({"concise", "quality"}), "lengths");
  Length::scored = 0;
  const auto verdicts = judge_articles(
      judge,
      {{"article 1", "a", "bb", "long", "short", &kOne},
       {"article 2", "same", "size", "?", "known", &kTwo}});
  EXPECT_EQ(verdicts[0].concise.outcome(), QuestionOutcome::kFirst);
  EXPECT_EQ(verdicts[0].quality.outcome(), QuestionOutcome::kSecond);
  EXPECT_EQ(verdicts[0].win(), Win::kTie);
  EXPECT_EQ(verdicts[1].concise.in_order, "");
  EXPECT_EQ(verdicts[1].concise.swapped, "");
  EXPECT_EQ(verdicts[1].quality.in_order, "");
  // Eight texts, each once for each objective.
  EXPECT_EQ(Length::scored, 16u);
  EXPECT_EQ(judge.name(), "lengths");
}

TEST(RewardJudges, ASingleObjectiveAnswersBothQuestions) {
  RewardJudge judge(objectives({"long"}), "long");
  const auto verdicts =
      judge_articles(judge, {{"article 1", "aa", "b", "aa", "b", &kOne}});
  EXPECT_EQ(verdicts[0].win(), Win::kFirst);
  EXPECT_EQ(summarise_verdicts(verdicts).quality.place_bias.mean, 0);
}

TEST(RewardJudges, NeedAnObjectiveForEachQuestion) {
  try {
    RewardJudge judge(objectives({"concise", "other"}), "f.yaml");
    ADD_FAILURE() << "no error";
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "f.yaml: the objectives are concise and other; a judge needs 'concise' "
        "and 'quality', or a single one for both questions");
  }
}

}  // namespace
}  // namespace moft
