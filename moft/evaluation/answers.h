// The answers of an evaluation and their rewards, and how ranks exchange them.
//
// Thread safety: as Group's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

// Runs `answer`, which fills `steerings` with this rank's answers, then puts
// those of all ranks after one another, by rank, for every steering. An error
// on any rank is every rank's (together.h).
void gather_answers(
    Group& group,
    std::vector<Answers>& steerings,
    const std::function<void()>& answer);

// What each rank's `score` returns, by rank; the same of errors.
std::vector<RewardColumns> gather_scores(
    Group& group, const std::function<RewardColumns()>& score);

}  // namespace moft
