// How a step is divided so that it stays within training.memory_budget.
//
// A step is rolled out in parts of rows, and then scored and differentiated in
// parts of rows, one part after the other. The division depends on the lengths
// of the step's prompts and on the recipe alone, never on the memory that is
// free: a resumed run divides its steps as the first one did. Every completion
// counts as one of max_new_tokens.
//
// P prompts, B rows; row = prompt * samples + sample.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/saturated.h"
#include "moft/training/step_costs.h"

namespace moft {

// Items [first, second) of a step.
using ItemRange = std::pair<std::size_t, std::size_t>;
// The parts that each slice is computed in.
using ItemSlices = std::vector<std::vector<ItemRange>>;

// A step's items in consecutive slices, `slices` of them at most, none empty:
// equal ones where `slices` divides `count` (training.gradient_accumulation).
std::vector<ItemRange> slices_of(std::size_t count, std::int64_t slices);

struct StepShape {
  std::vector<std::int64_t> prompt_tokens;  // [P]
  std::int64_t samples = 1;                 // completions of each prompt
  std::int64_t new_tokens = 1;
  // A prompt's rows are never in different parts.
  bool together = false;

  std::int64_t rows() const {
    return saturated_product(std::ssize(prompt_tokens), samples);
  }
  std::size_t prompt_of(std::size_t row) const {
    return row / static_cast<std::size_t>(samples);
  }
};

struct MemoryBudget {
  std::int64_t bytes = 0;
  std::int64_t held = 0;  // of them, by others, while the step is computed
  // For messages: the budget's key, who needs it, and what else lowers that.
  std::string key = "training.memory_budget";
  std::string user = "a step";
  std::string cure = "lower training.max_new_tokens or data.max_prompt_tokens";
};

class StepMemory {
 public:
  // CallerError when the budget does not suffice for one row.
  StepMemory(StepShape shape, const StepCosts& costs, MemoryBudget budget);

  // The most rows to decode at once, at most B.
  std::int64_t rows_at_once() const;
  // The rows of these prompts, in order, in the fewest parts that fit when they
  // are filled one after the other.
  std::vector<std::vector<std::size_t>> parts_of(
      const std::vector<std::size_t>& prompts) const;
  // Slices of the first `count` prompts, each in the fewest parts that fit.
  // REQUIRES one row of each prompt.
  ItemSlices parts_of_slices(std::size_t count, std::int64_t slices) const;
  // Whether the graph of all prompts fits beside the decoding of all rows, and
  // then beside `between` bytes until the step is scored.
  bool has_room_for_graph(std::int64_t between) const;

  // Bytes, hidden states that are kept from the rollout to the end included.
  std::int64_t rollout_bytes(std::int64_t rows) const;
  std::int64_t scoring_bytes(const std::vector<std::size_t>& rows) const;
  // What is left of the rollout until the step is scored.
  std::int64_t feature_bytes() const { return features_; }
  std::int64_t graph_bytes() const;

 private:
  std::int64_t least_rows() const;     // that a part holds
  std::int64_t prompt_tokens() const;  // of all
  std::int64_t prompt_bytes(std::int64_t tokens) const;
  std::int64_t row_bytes() const;
  std::int64_t held() const;
  std::int64_t decoding_bytes(std::int64_t rows) const;

  StepShape shape_;
  StepCosts costs_;
  MemoryBudget budget_;
  std::int64_t longest_;  // tokens of the longest prompt
  std::int64_t features_;
};

// The value network's passes over prompts, in parts of prompts: row and prompt
// are the same. `held`: what the policy's step holds meanwhile, of the same
// budget.
StepMemory value_memory(
    const ModelShape& network,
    std::vector<std::int64_t> prompt_tokens,
    std::int64_t budget,
    std::int64_t held);
// The same over prompts and completions, in parts of rows (PPO).
StepMemory value_memory(
    const ModelShape& network,
    StepShape shape,
    std::int64_t budget,
    std::int64_t held);
// Bytes of its pass over one prompt, and one completion of it.
std::int64_t value_bytes(
    const ModelShape& network,
    std::int64_t tokens,
    std::int64_t new_tokens = 0);

}  // namespace moft
