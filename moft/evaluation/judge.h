// A judge: which of two summaries of an article it prefers.
//
// A judge may be a language model at an endpoint (endpoint_judge.h), a reward
// model (reward_judge.h), or a class of your own. It must answer from what a
// query holds; the order of the two summaries is what judging.h swaps.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/evaluation/judge_wording.h"

namespace moft {

struct JudgeQuery {
  JudgeQuestion question = JudgeQuestion::kConcise;
  std::string article;
  std::string summary1;
  std::string summary2;
  // The row of the data that the article is from; may be null for a judge that
  // reads the article alone.
  const Example* example = nullptr;
};

// What judging has cost so far.
struct JudgeUsage {
  std::int64_t calls = 0;   // answered by a judge now
  std::int64_t reused = 0;  // found in the log of calls
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double seconds = 0.0;  // summed over the calls
};

class Judge {
 public:
  virtual ~Judge() = default;

  // One answer per query: "SUMMARY1", "SUMMARY2", or "" for neither. Throws
  // WorldError when the judge does not answer.
  virtual std::vector<std::string> answer(
      const std::vector<JudgeQuery>& queries) = 0;

  // What it is, for reports: "gpt-x at https://host/v1".
  virtual std::string name() const = 0;
  virtual JudgeUsage usage() const { return {}; }
};

}  // namespace moft
