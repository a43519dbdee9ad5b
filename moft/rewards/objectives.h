// The objectives of a run: named rewards, each with the fixed affine range
// that is its [0, 1].
//
// Thread safety: as Reward's.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/rewards/reward.h"

namespace moft {

struct Objective {
  std::string name;
  std::shared_ptr<const Reward> reward;
  double low = 0.0;   // raw reward that counts as 0
  double high = 1.0;  // raw reward that counts as 1
};

// [rows, objectives], double, on the CPU; objectives in the set's order.
struct Scores {
  at::Tensor raw;
  at::Tensor mapped;  // (raw - low) / (high - low)
  // Rows that an objective gave no reward (`missing: skip`), rising. They have
  // NaN there, and no part in an update.
  std::vector<std::size_t> skipped = {};
  // [objectives]: spent computing each, or waiting for it.
  std::vector<double> seconds = {};
  // What the sources of rewards say of themselves: "reward_calls/.."
  std::map<std::string, double> metrics = {};
  // What they say of rows, by name.
  std::map<std::string, RowTexts> texts = {};
};

// The values of one objective, in the order of the rows.
std::vector<double> column_of(const at::Tensor& scores, std::size_t objective);

class ObjectiveSet {
 public:
  // Throws CallerError for no objectives, a name that is not an identifier
  // (letters, digits, '_', '-', at most 64) or appears twice, an objective
  // without reward, and a range that is not finite or not low < high.
  explicit ObjectiveSet(std::vector<Objective> objectives);

  std::size_t size() const { return objectives_.size(); }
  const std::vector<Objective>& objectives() const { return objectives_; }
  const std::vector<std::string>& names() const { return names_; }

  // Every reward once per batch, however many objectives and gates use it.
  // The map is affine and never clips: a reward that saturates does so in its
  // raw value. Throws as Reward::score does.
  Scores score(const RewardBatch& batch) const;
  // The same where rows have been sent out already.
  Scores score(const RewardBatch& batch, RewardMemo& memo) const;

  // The rewards that are computed in this process and ask no other ones, in a
  // fixed order: those whose rows may be computed anywhere.
  std::vector<const Reward*> computed_rewards() const;

  // Rewards that come from outside this process.
  bool has_sources() const { return !sources_.empty(); }
  // Tells the sources that the row's completion is in `batch`, whose prompts,
  // examples and groups are all there: each sends out what is complete by its
  // unit of a call. Returns at once.
  void row_arrived(
      const RewardBatch& batch, std::size_t row, RewardMemo& memo) const;
  // Begins to start the sources' programs.
  void start_sources() const;
  // Starts one program of each, if that has not been done. CallerError for one
  // that cannot be started.
  void check_sources() const;

 private:
  std::vector<Objective> objectives_;
  std::vector<std::string> names_;
  std::vector<const RewardSource*> sources_;  // distinct
};

}  // namespace moft
