// One line per step on standard error:
//
//   step=12/40 reward=0.531 kl=4.21 rollout=40% policy=38% time_left=3 min 05 s
//
// with the figures that the trainer names (RunOptions).
//
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <vector>

#include "moft/training/trainer.h"

namespace moft {

class Progress {
 public:
  // steps: of the whole run; `done` of them are finished.
  Progress(
      std::vector<ProgressFigure> figures,
      std::int64_t steps,
      std::int64_t done);

  void print(const StepResult& result) const;

 private:
  std::vector<ProgressFigure> figures_;
  std::int64_t steps_;
  std::int64_t first_;  // steps finished before this process began
  std::chrono::steady_clock::time_point start_;
};

}  // namespace moft
