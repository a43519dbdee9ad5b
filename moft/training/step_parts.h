// The parts that a step is scored and differentiated in: prompts with all
// their rows, as the model takes them.
//
// Thread safety: plain data and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/training/experience.h"

namespace moft {

struct StepPart {
  ScoreBatch score;
  ScoreBatch reference_score;  // the same completions after plain prompts
  std::vector<Coefficients> coefficients;     // distinct
  std::vector<std::int64_t> coefficients_of;  // [prompts of this part]
  // int64, on the CPU. n: completion tokens of this part, row after row.
  at::Tensor rows;     // [rows], indices into the rollout's rows
  at::Tensor tokens;   // [n], indices into the rollout's N packed tokens
  at::Tensor targets;  // [n], token ids
  at::Tensor lengths;  // [rows], tokens of each row
};

// Splits prompts of a step (indices, rising) into parts of about
// P / `parts` prompts. With `mixes_rows` false a part holds prompts of one
// steering only, so there are more parts when there are more steerings.
std::vector<StepPart> split_step(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    std::int64_t parts,
    bool mixes_rows);

// Whether splitting all prompts of the step makes one part.
bool is_one_part(const Draw& draw, std::int64_t parts, bool mixes_rows);

// 0 .. P - 1.
std::vector<std::size_t> all_prompts(const Draw& draw);

}  // namespace moft
