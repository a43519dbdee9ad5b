// The answers of an evaluation and their rewards, and how ranks exchange them.
//
// Thread safety: as Group's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "moft/distributed/group.h"
#include "moft/rewards/reward.h"

namespace moft {

// All completions of one steering, sample-major within a prompt.
struct Answers {
  std::vector<std::string> texts;
  std::vector<double> kl;
  std::vector<std::uint8_t> finished;  // 1 or 0
  std::vector<std::int64_t> tokens;
  std::vector<std::size_t> prompts;
  std::vector<std::vector<TokenId>> ids;  // for rewards from outside, or none
};

// [objectives][answers]
struct RewardColumns {
  std::vector<std::vector<double>> raw;
  std::vector<std::vector<double>> mapped;
};

// Puts the answers of all ranks after one another, by rank, for every steering.
void gather_answers(Group& group, std::vector<Answers>& steerings);

// Rank k % scorers has scored the answers of steering k: all receive them.
void gather_scores(
    Group& group,
    std::size_t scorers,
    std::size_t objectives,
    std::vector<RewardColumns>& steerings);

}  // namespace moft
