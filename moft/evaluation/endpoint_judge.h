// A language model at an endpoint as a judge (rewards/outside/chat_source.h).
//
// Every call is in the log (judge_log.h), whose replies are used again, so that
// judging resumes after an error with the calls that are missing.
//
// Thread safety: one thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "moft/evaluation/judge.h"
#include "moft/evaluation/judge_log.h"
#include "moft/rewards/outside/chat_source.h"

namespace moft {

class EndpointJudge : public Judge {
 public:
  // CallerError for a log that is not one, a key's variable that is not set,
  // and a build without libcurl.
  EndpointJudge(
      ChatOptions options,
      JudgeWording wording,
      const std::filesystem::path& log);

  // All calls that the log does not have are sent at once, options.workers at
  // a time; options.step_deadline is for all of them. The replies that came are
  // in the log when WorldError says which call failed.
  std::vector<std::string> answer(
      const std::vector<JudgeQuery>& queries) override;
  std::string name() const override;
  JudgeUsage usage() const override { return usage_; }

 private:
  void ask(const std::vector<std::string>& messages);
  void keep(const std::string& message, const RewardReply& reply);
  const LoggedReply* find(const std::string& message) const;

  ChatOptions options_;
  JudgeWording wording_;
  JudgeLog log_;
  std::shared_ptr<const RewardSource> source_;
  JudgeUsage usage_;
};

}  // namespace moft
