// Row 75: the rewards of the two-reward runs pull at the length of an answer
// from both sides. A post's summaries grow word by word, so only their length
// differs; the texts were written for this test.
#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/rewards/length.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/rouge.h"

namespace moft {
namespace {

struct Summary {
  const char* reference;
  const char* longest;  // what the answers are the beginnings of
};

constexpr Summary kSummaries[] = {
    {"The lift has stood still since Monday, the landlord does not answer, and "
     "two neighbours on the sixth floor can no longer leave the house.",
     "The lift broke on Monday and has stood still since; the landlord does "
     "not answer and two neighbours can no longer leave the house."},
    {"My sister lent her bicycle to a colleague who returned it with a bent "
     "wheel, and now she wonders who should pay for the repair.",
     "A colleague returned my sister's bicycle with a bent wheel and she now "
     "wonders who of the two should pay for the repair."},
    {"The bakery in our street closes at noon because its oven needs a new "
     "door, which the maker can only deliver in the spring.",
     "Our bakery closes at noon as the oven needs a new door, which its maker "
     "can only deliver some time in the spring."},
    {"After the storm the school garden lost its oldest apple tree, so the "
     "children want to plant three young ones and build a bench.",
     "The school garden lost its apple tree in the storm and the children "
     "want to plant three young ones and also build a bench."},
};

std::vector<std::string> beginnings(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> result;
  std::string so_far;
  for (std::string word; words >> word;) {
    so_far += (so_far.empty() ? "" : " ") + word;
    result.push_back(so_far);
  }
  return result;
}

// Answers of all lengths, with their scores by both rewards.
struct Sample {
  std::vector<double> words, rouge, brevity;
};

Sample score_beginnings(const ObjectiveSet& objectives, const Summary& item) {
  Example example;
  example.id = "e1";
  example.fields["summary"] = item.reference;
  RewardBatch batch;
  batch.completions = beginnings(item.longest);
  batch.prompts.assign(batch.rows(), "prompt");
  batch.token_counts.assign(batch.rows(), 1);
  batch.examples.assign(batch.rows(), &example);
  const Scores scores = objectives.score(batch);
  Sample sample;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    sample.words.push_back(static_cast<double>(row + 1));
  }
  sample.brevity = column_of(scores.raw, 0);
  sample.rouge = column_of(scores.raw, 1);
  return sample;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double sum_a = 0, sum_b = 0, product = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    sum_a += a[k];
    sum_b += b[k];
    product += a[k] * b[k];
  }
  return product / n - sum_a / n * sum_b / n;
}

TEST(RewardConflict, RougeLikesLongAnswersAndBrevityShortOnes) {
  Objectives options;
  LengthOptions brevity;
  brevity.full_at = 6;
  brevity.zero_at = 26;
  options["rouge"] = {"rouge", RougeOptions{.field = "summary"}};
  options["brevity"] = {"length", brevity};
  const ObjectiveSet objectives = make_objectives(options, {});
  ASSERT_EQ(objectives.names(), (std::vector<std::string>{"brevity", "rouge"}));
  for (const Summary& item : kSummaries) {
    SCOPED_TRACE(item.reference);
    const Sample sample = score_beginnings(objectives, item);
    ASSERT_GT(sample.words.size(), 20u);
    EXPECT_GT(covariance(sample.words, sample.rouge), 0);
    EXPECT_LT(covariance(sample.words, sample.brevity), 0);
    EXPECT_LT(covariance(sample.rouge, sample.brevity), 0);
  }
}

}  // namespace
}  // namespace moft
