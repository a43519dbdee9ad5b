// The parts that a step is scored and differentiated in: rows and their
// prompts, as the model takes them.
//
// A step, or a minibatch of it, has slices: training.gradient_accumulation
// consecutive ones of its prompts. The gradient of a slice depends on that
// slice alone, and the slices' gradients are added in order
// (conditioning/gradient_sum.h); a part never reaches over the end of its
// slice.
//
// Thread safety: plain data and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/generation/steered_policy.h"
#include "moft/training/experience.h"
#include "moft/training/step_memory.h"
#include "moft/training/training_options.h"

namespace moft {

struct StepPart {
  ScoreBatch score;
  ScoreBatch reference_score;  // the same completions after plain prompts
  std::vector<Coefficients> coefficients;     // distinct
  std::vector<std::int64_t> coefficients_of;  // [prompts of this part]
  // int64, on the CPU. n: completion tokens of this part, row after row.
  at::Tensor rows;          // [rows], indices into the rollout's rows
  at::Tensor tokens;        // [n], indices into the rollout's N packed tokens
  at::Tensor targets;       // [n], token ids
  at::Tensor lengths;       // [rows], tokens of each row
  bool ends_slice = false;  // after its gradient: end_slice()
};

// How a step is divided.
struct StepPlan {
  StepMemory memory;
  std::int64_t slices = 1;  // of every minibatch
  // Whether rows of several steerings are differentiated together.
  bool mixes_rows = true;
  // Bytes that others need between the rollout and the scoring.
  std::int64_t between = 0;
  // Which of the slices are computed, counted from 0; none: all of them.
  std::optional<ItemRange> here = std::nullopt;
};

// Reads options.memory_budget, gradient_accumulation and kl_estimator.
// CallerError when the budget does not suffice for one row.
StepPlan plan_step(
    const SteeredPolicy& policy,
    const Draw& draw,
    const TrainingOptions& options);

// Cuts prompts of a step (indices, rising) into plan.slices slices (slices_of()
// in step_memory.h), a slice into groups of one steering each unless
// plan.mixes_rows, and the rows of a group into as many parts as the memory
// asks for.
std::vector<StepPart> split_step(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    const StepPlan& plan);

// Whether splitting all prompts of the step makes one part.
bool is_one_part(const Draw& draw, const StepPlan& plan);

// 0 .. P - 1.
std::vector<std::size_t> all_prompts(const Draw& draw);

}  // namespace moft
