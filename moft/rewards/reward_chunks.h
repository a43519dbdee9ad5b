// Which rows of a batch a process computes the rewards of, where several share
// them: whole chunks of model_reward.h, so that every row has the bits that it
// has in one process.
//
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "moft/rewards/model_reward.h"

namespace moft {

// Rows [first, second) of `rows` for process `index` of `count`.
inline std::pair<std::size_t, std::size_t> rows_of_chunks(
    std::size_t rows, std::size_t index, std::size_t count) {
  constexpr std::size_t kChunk = ModelReward::kRowsPerChunk;
  const std::size_t chunks = (rows + kChunk - 1) / kChunk;
  return {
      std::min(rows, chunks * index / count * kChunk),
      std::min(rows, chunks * (index + 1) / count * kChunk)};
}

}  // namespace moft
