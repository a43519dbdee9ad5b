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
#include <vector>

#include "moft/training/step_costs.h"

namespace moft {

struct StepShape {
  std::vector<std::int64_t> prompt_tokens;  // [P]
  std::int64_t samples = 1;                 // completions of each prompt
  std::int64_t new_tokens = 1;

  std::int64_t rows() const { return std::ssize(prompt_tokens) * samples; }
  std::size_t prompt_of(std::size_t row) const {
    return row / static_cast<std::size_t>(samples);
  }
};

class StepMemory {
 public:
  // CallerError when `budget` (bytes) does not suffice for one row; `key` names
  // it there.
  StepMemory(
      StepShape shape,
      const StepCosts& costs,
      std::int64_t budget,
      const std::string& key = "training.memory_budget");

  // The most rows to decode at once, at most B.
  std::int64_t rows_at_once() const;
  // The rows of these prompts, in order, in the fewest parts that fit when they
  // are filled one after the other.
  std::vector<std::vector<std::size_t>> parts_of(
      const std::vector<std::size_t>& prompts) const;

  // Bytes, hidden states that are kept from the rollout to the end included.
  std::int64_t rollout_bytes(std::int64_t rows) const;
  std::int64_t scoring_bytes(const std::vector<std::size_t>& rows) const;

 private:
  std::int64_t longest_prompt() const;
  std::int64_t prompt_bytes(std::size_t prompt) const;
  std::int64_t row_bytes() const;

  StepShape shape_;
  StepCosts costs_;
  std::int64_t budget_;
  std::int64_t features_;
};

}  // namespace moft
