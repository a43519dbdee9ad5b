// What a rank of a group does of an online step, and what it learns from the
// others (docs/distributed.md).
//
// All ranks draw the same step, and each computes some consecutive slices of it
// (step_parts.h): it samples their prompts' completions, scores them and takes
// their gradients. Between these every rank receives the others' numbers, so
// that everything which depends on all rows is made on every rank alike, and
// the gradients are added in the order of the slices. So N ranks have the bits
// of one process with the same slices and as many threads.
//
// Every rank makes the same calls in the same order.
// Errors: as Group's.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "moft/algorithms/shards.h"
#include "moft/conditioning/conditioning_options.h"
#include "moft/conditioning/gradient_sum.h"
#include "moft/distributed/group.h"
#include "moft/rewards/objectives.h"
#include "moft/training/experience.h"
#include "moft/training/online_step.h"
#include "moft/training/step_memory.h"
#include "moft/training/step_rewards.h"
#include "moft/training/trainer.h"

namespace moft {

class StepRanks {
 public:
  // REQUIRES a multiple of the group's ranks. The group must outlive it.
  StepRanks(Group& group, std::int64_t slices);

  int rank() const { return group_.rank(); }
  Group* group() { return &group_; }
  // Those of every minibatch that are this rank's.
  ItemRange slices() const;
  // Its part of consecutive items, such as a step's prompts: those of its
  // slices, where the slices divide them.
  ItemRange part_of(std::size_t items) const;

  // The step's rollout from each rank's part. Hidden states are those of this
  // rank's rows alone, the others' undefined.
  void gather(Rollout& own, const Draw& draw, StepTimes& times);
  // The numbers of all rows, on every rank; `own` has this rank's at their
  // places.
  void gather(
      LogRatios& own,
      const Draw& draw,
      const Rollout& rollout,
      StepTimes& times);
  // Rows of double, one rank's after the other's.
  at::Tensor gather_rows(const at::Tensor& own, StepTimes& times);
  // The scores of all rows. Rewards that are computed here are shared out in
  // the chunks of model_reward.h; those from outside are `outside`'s, which
  // has this rank's part of the draw, or the whole draw where rank 0 alone asks
  // for it (asked_by_first_rank).
  Scores score(
      const ObjectiveSet& objectives,
      const Draw& draw,
      const Rollout& rollout,
      StepRewards& outside,
      StepTimes& times);

  // What each rank gives; `what` says what that is, in errors.
  std::vector<std::string> gather(
      std::string_view what, std::string_view own, StepTimes& times);

  // The sum of the slices' gradients (sum_gradients.h).
  GradientSlice sum(std::vector<GradientSlice> slices, StepTimes& times);
  // Added part by part, as one process adds those of its parts.
  ClipFigures sum(const std::vector<ClipFigures>& parts, StepTimes& times);
  double sum(double own, StepTimes& times);

  // "ranks/..": how long ranks waited since the last report, and for whom; what
  // the sums of gradients cost this one.
  void report(std::map<std::string, double>& metrics);

 private:
  // Waits until all are there.
  void meet(std::string_view name);
  // What every rank's work returns; its error is every rank's. The ranks meet
  // after it, unless `what` is null.
  std::vector<std::string> results(
      const char* what,
      const std::function<std::string()>& work,
      StepTimes& times);

  Group& group_;
  std::int64_t slices_;
  std::vector<double> waits_;  // of this rank in this step
  std::vector<int> lasts_;     // who came last to each
  double sum_seconds_ = 0.0;
  double sum_bytes_ = 0.0;  // of gradients, sent to other ranks
};

// What the updates of a step learn from, by its key in the recipe.
struct StepItems {
  std::string key;  // "prompts_per_step"
  std::int64_t count = 1;
  std::int64_t updates = 1;  // that share them
};

StepItems items_of(const TrainingOptions& options);

// Whether ranks share the copies (conditioning.h), each with 1/N of their
// elements: where a step has one steering, so that one mixture is gathered, and
// AdamW updates, which reads elements alone. The one place that decides.
bool shares_copies(
    const ConditioningOptions& conditioning,
    const TrainingOptions& training,
    std::int64_t ranks);

// Those ranks of a group; a process alone where each has all copies. The group
// (none: one process) outlives what it is given to.
Ranks sharing_ranks(
    const ConditioningOptions& conditioning,
    const TrainingOptions& training,
    Group* group);

// gradient_accumulation of a group: as `given`, or the number of ranks where
// that is 1. CallerError, opened by `path` ("training."), unless it is a
// multiple of the ranks that divides the items of every update.
std::int64_t slices_of_ranks(
    std::int64_t given,
    const StepItems& items,
    int ranks,
    const std::string& path);

}  // namespace moft
