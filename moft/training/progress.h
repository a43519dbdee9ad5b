// One line per step on standard error:
//
//   step=12/40 reward=0.531 brevity=0.61 relevance=0.48 kl=4.21
//   tokens_per_second=812 rollout=40% rewards=5% reference=15% policy=38%
//   optimizer=2% time_left=3 min 05 s
//
// (on one line), with `value=..%` where there is a value network. Thread
// safety: one thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "moft/training/online.h"

namespace moft {

class Progress {
 public:
  // steps: of the whole run; `done` of them are finished.
  Progress(
      std::int64_t steps,
      std::int64_t done,
      std::vector<std::string> objectives);

  void print(const StepResult& result);

 private:
  std::int64_t steps_;
  std::int64_t first_;  // steps finished before this process began
  std::vector<std::string> objectives_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace moft
