// The objectives of a run: named rewards, each with the fixed affine range
// that is its [0, 1].
//
// Thread safety: as Reward's.
#pragma once

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

// Both [rows, objectives], double, on the CPU; objectives in the set's order.
struct Scores {
  at::Tensor raw;
  at::Tensor mapped;  // (raw - low) / (high - low)
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

 private:
  std::vector<Objective> objectives_;
  std::vector<std::string> names_;
};

}  // namespace moft
