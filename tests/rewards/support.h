// What tests of rewards score, and what rewards say when they fail.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "moft/core/errors.h"
#include "moft/rewards/reward.h"

namespace moft {

inline const Example& example() {
  static const Example kExample{
      .id = "e1",
      .fields =
          {{"post", "The bakery on our street opens before sunrise."},
           {"long",
            "The bakery on our street opens before sunrise. Nobody buys bread "
            "there on a Sunday morning! My laptop fan has been rattling since "
            "the last update. Where can I return a library book? The bakery is "
            "closed, says the owner (she retired)."}},
      .where = "posts.jsonl:1"};
  return kExample;
}

// One row per completion, all about that example.
inline RewardBatch batch_of(std::vector<std::string> completions) {
  RewardBatch batch;
  batch.completions = std::move(completions);
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    batch.prompts.push_back("prompt " + std::to_string(row));
    batch.token_counts.push_back(10);
    batch.examples.push_back(&example());
  }
  return batch;
}

// The words of the WorldError, or "scored".
inline std::string world_error(const Reward& reward, const RewardBatch& batch) {
  try {
    reward.score(batch);
  } catch (const WorldError& error) {
    return error.what();
  }
  return "scored";
}

}  // namespace moft
