// Calls to a program in lines of JSON (wire.h), one at a time.
//
// A program may greet with {"moft_reward": 1, ..} before its first answer; the
// host of Python functions always does. Lines on its standard error go to the
// log.
//
// Thread safety: one thread.
#pragma once

#include <string>
#include <vector>

#include "moft/core/child_process.h"
#include "moft/rewards/outside/reward_source.h"

namespace moft {

struct LinesOptions {
  std::vector<std::string> command;
  std::string place;    // for messages
  bool greets = false;  // wait for the greeting
};

class LinesChannel : public RewardChannel {
 public:
  // Throws std::runtime_error, with the last line that the program said, when
  // it ends before it greets.
  LinesChannel(
      const LinesOptions& options,
      SourceOutputs outputs,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped);

  RewardReply ask(
      const RewardCall& call,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped) override;

 private:
  std::string line(
      std::string_view text,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped);
  std::string how_it_ended();

  SourceOutputs outputs_;
  ChildProcess child_;
};

}  // namespace moft
