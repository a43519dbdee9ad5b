// The reward kind `judge`: a number that a language model at an endpoint gives
// an answer by a rubric.
//
// Prompt and answer are quoted (judge_text.h): they are what is judged, never
// what is asked. A policy that trains on a judge's numbers learns what the
// judge likes, orders to the judge included; read its answers.
//
// CMake's MOFT_HTTP=OFF builds without libcurl; recipes with this kind are then
// refused.
#pragma once

#include <string>

#include "moft/rewards/outside/chat_source.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

struct JudgeRewardOptions : ChatOptions {
  std::string rubric;
  MissingReward missing = MissingReward::kStop;

  template <class V>
  void fields(V& v) {
    v("rubric",
      rubric,
      Help{"what is judged, and on which scale: \"How polite is the answer, "
           "from 0 to 10?\""},
      Required{});
    ChatOptions::fields(v);
    v("missing",
      missing,
      Help{"what a reply without a number does: stop the run, or leave the "
           "completion out of the update"});
  }
};

// What the model reads.
std::string judge_message(
    const std::string& rubric,
    const std::string& prompt,
    const std::string& completion);

// The number after the last "SCORE:" of a reply, or the whole reply where it
// is a number; "8/10" is 8. Empty when the reply has no number.
RewardValue judge_score(const std::string& reply);

RewardKind judge_kind();

}  // namespace moft
