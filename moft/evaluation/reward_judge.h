// A reward as a judge: it prefers the summary with the higher raw reward.
//
// Each text is scored on its own, so the answer is the same in both orders.
// Equal rewards, and a missing one, are an answer for neither.
//
// A reward that a compared policy was trained on, or that learned from the same
// data, judges its own pupil: its win rates say nothing about quality.
//
// Thread safety: one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/judge.h"
#include "moft/rewards/objectives.h"

namespace moft {

class RewardJudge : public Judge {
 public:
  // The objectives `concise` and `quality` answer the questions of their names;
  // a single objective of any name answers both. CallerError for others.
  // `name`: for reports.
  RewardJudge(ObjectiveSet objectives, std::string name);

  // REQUIRES queries with examples.
  std::vector<std::string> answer(
      const std::vector<JudgeQuery>& queries) override;
  std::string name() const override { return name_; }

 private:
  std::size_t objective_of(JudgeQuestion question) const;

  ObjectiveSet objectives_;
  std::string name_;
};

}  // namespace moft
