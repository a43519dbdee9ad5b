// R(x, y) of a step: rewards computed here, and those that come from outside,
// which are asked for as soon as completions are finished.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "moft/rewards/objectives.h"
#include "moft/tokenizers/tokenizer.h"
#include "moft/training/experience.h"
#include "moft/training/roll_out.h"
#include "moft/training/step_memory.h"
#include "moft/training/trainer.h"

namespace moft {

class StepRewards {
 public:
  // What it is given must outlive it. tokenizer: for completions with their
  // special tokens; may be null. max_steps: of the training. stop_requested: as
  // RewardMemo's.
  StepRewards(
      const ObjectiveSet& objectives,
      const Draw& draw,
      const Tokenizer* tokenizer = nullptr,
      std::int64_t max_steps = 0,
      std::function<bool()> stop_requested = nullptr);
  StepRewards(const StepRewards&) = delete;
  StepRewards& operator=(const StepRewards&) = delete;

  // For roll_out(): sends each row out where an objective is outside.
  OnCompletion on_completion();

  // Computes the rewards, and waits for those from outside. Rows that
  // on_completion() has not seen are sent out here.
  Scores finish(const Rollout& rollout, StepTimes& times);

  // --- over ranks (ranks.h)
  // The values of these rewards for some rows of the rollout.
  std::vector<std::vector<double>> compute(
      const std::vector<const Reward*>& rewards,
      const Rollout& rollout,
      const ItemRange& rows);
  // What a reward gives every row, so that finish() need not compute it.
  void know(const Reward* reward, std::vector<double> values);

 private:
  void add(std::size_t row, const Generation& generation, std::string text);
  void add_rest(const Rollout& rollout);

  const ObjectiveSet& objectives_;
  const Tokenizer* tokenizer_;
  RewardBatch batch_;
  std::vector<bool> added_;  // [B]
  RewardMemo memo_;
};

}  // namespace moft
