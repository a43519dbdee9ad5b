// Summaries to rewards, and rewards to choices.
#include "moft/evaluation/reward_judge.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// The distinct texts of some queries.
class Texts {
 public:
  std::size_t row_of(const JudgeQuery& query, const std::string& summary) {
    const auto [found, is_new] = rows_.try_emplace(
        {query.example, query.article, summary}, batch_.rows());
    if (is_new) {
      batch_.prompts.push_back(query.article);
      batch_.completions.push_back(summary);
      batch_.token_counts.push_back(0);
      batch_.examples.push_back(query.example);
      batch_.completion_ids.emplace_back();
      batch_.raw_completions.push_back(summary);
      batch_.turns.push_back(nullptr);
      batch_.groups.push_back(batch_.groups.size());
    }
    return found->second;
  }
  const RewardBatch& batch() const { return batch_; }

 private:
  std::map<std::tuple<const Example*, std::string, std::string>, std::size_t>
      rows_;
  RewardBatch batch_;
};

}  // namespace

RewardJudge::RewardJudge(ObjectiveSet objectives, std::string name)
    : objectives_(std::move(objectives)), name_(std::move(name)) {
  const auto& names = objectives_.names();
  if (names.size() == 1 || (has(names, "concise") && has(names, "quality")))
    return;
  throw_caller_error(
      "{}: the objectives are {}; a judge needs 'concise' and 'quality', or a "
      "single one for both questions",
      name_,
      listed(names));
}

std::size_t RewardJudge::objective_of(JudgeQuestion question) const {
  const auto& names = objectives_.names();
  if (names.size() == 1) return 0;
  const auto found = std::ranges::find(names, enum_name(question));
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<std::string> RewardJudge::answer(
    const std::vector<JudgeQuery>& queries) {
  std::vector<std::string> answers;
  if (queries.empty()) return answers;
  Texts texts;
  std::vector<std::pair<std::size_t, std::size_t>> rows;
  for (const JudgeQuery& query : queries) {
    const std::size_t first = texts.row_of(query, query.summary1);
    rows.emplace_back(first, texts.row_of(query, query.summary2));
  }
  const Scores scores = objectives_.score(texts.batch());
  std::vector<std::vector<double>> columns;
  for (std::size_t k = 0; k < objectives_.size(); ++k)
    columns.push_back(column_of(scores.raw, k));
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto& column = columns[objective_of(queries[i].question)];
    const double first = column[rows[i].first];
    const double second = column[rows[i].second];
    answers.emplace_back(
        first > second   ? "SUMMARY1"
        : second > first ? "SUMMARY2"
                         : "");
  }
  return answers;
}

}  // namespace moft
