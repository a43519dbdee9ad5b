// The reward kind `command`: any program that answers calls line by line
// (wire.h).
//
// Objectives with the same command and the same settings share the processes
// and the calls; each finds its rewards under its own name.
#pragma once

#include <string>
#include <vector>

#include "moft/rewards/outside/source_options.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

struct CommandOptions : SourceOptions {
  std::vector<std::string> run;
  MissingReward missing = MissingReward::kStop;

  template <class V>
  void fields(V& v) {
    v("run",
      run,
      Help{"the program and its arguments; it runs in the current folder"},
      Required{},
      OneOrMore{});
    v("missing",
      missing,
      Help{"what a null does: stop the run, or leave the completion out of the "
           "update"});
    SourceOptions::fields(v);
  }
};

RewardKind command_kind();

}  // namespace moft
