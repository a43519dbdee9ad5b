// Several rewards on one scale before they are summed.
//
// normalize_then_sum of TRL 1.16's GRPOTrainer (GDPO, arXiv 2601.05242):
//   R'_i = (R_i - mean_i) / (deviation_i + 1e-4)   within each group
//   S    = sum_i w_i R'_i
//   A    = (S - mean S) / (deviation S + 1e-4)     over the batch
// with sample deviations (divided by n - 1). An objective that ties in a group
// (advantages.h) has R'_i exactly 0 there, as in a group of one row.
//
// Running moments: mean and population deviation of every objective over all
// rows seen (T. Chan et al., "Updating formulae and a pairwise algorithm for
// computing sample variances", 1979).
//
// Results are double and carry no gradient.
// Errors: CallerError when shapes do not fit.
// Thread safety: pure functions; RunningMoments: one thread writes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

// What is added to deviations, as in TRL.
inline constexpr double kAggregationEpsilon = 1e-4;

// R' of every row and objective: rewards [B, m], groups int64 [B] -> [B, m].
at::Tensor normalise_in_groups(
    const at::Tensor& rewards, const at::Tensor& groups);

// The mean and deviation that rewards had so far.
class RunningMoments {
 public:
  // Adds rows [B, m].
  void add(const at::Tensor& rewards);
  std::int64_t count() const { return count_; }
  // [m]; 0 and 1 before the first row. A deviation is at least
  // kLeastDivisor (advantages.h).
  std::vector<double> mean() const { return mean_; }
  std::vector<double> deviation() const;
  // (rewards - mean) / deviation: [B, m]; unchanged before the first row.
  at::Tensor standardised(const at::Tensor& rewards) const;

  // For checkpoints: bits of doubles as int64. Empty before the first row.
  std::map<std::string, at::Tensor> state() const;
  // CallerError for a state of something else.
  void restore(const std::map<std::string, at::Tensor>& state);

 private:
  void check_width(const at::Tensor& rewards) const;

  std::int64_t count_ = 0;
  std::vector<double> mean_;     // [m]
  std::vector<double> squares_;  // [m], sums of squared differences from it
};

}  // namespace moft
