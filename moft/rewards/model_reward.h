// A reward that a model in this process computes.
//
// Encoders use libtorch's attention and functions, whose bits may depend on how
// many texts are read at once. So rows are read in fixed chunks, rows
// [k n, (k + 1) n) of the batch, n = kRowsPerChunk: a chunk's numbers are the
// same bits whoever computes it, beside other chunks or alone.
//
// Thread safety: as Reward's.
#pragma once

#include <cstddef>
#include <vector>

#include "moft/rewards/reward.h"

namespace moft {

class ModelReward : public Reward {
 public:
  // Enough to keep products large, few enough to share a step's rows out.
  static constexpr std::size_t kRowsPerChunk = 16;

  using Reward::Reward;

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const final;

  // One number for each row of a chunk. A RewardRowError counts from its first.
  virtual std::vector<double> compute_chunk(const RewardBatch& chunk) const = 0;
};

// Rows [begin, end) of a batch.
RewardBatch rows_of(
    const RewardBatch& batch, std::size_t begin, std::size_t end);

}  // namespace moft
