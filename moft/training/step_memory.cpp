// Filling parts with rows as long as they fit.
#include "moft/training/step_memory.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "moft/core/errors.h"

namespace moft {

StepMemory::StepMemory(
    StepShape shape,
    const StepCosts& costs,
    std::int64_t budget,
    const std::string& key)
    : shape_(std::move(shape)), costs_(costs), budget_(budget) {
  const auto& prompts = shape_.prompt_tokens;
  features_ =
      (std::accumulate(prompts.begin(), prompts.end(), std::int64_t{0}) +
       shape_.rows() * shape_.new_tokens) *
      costs_.feature_token;
  const std::int64_t scored =
      features_ + longest_prompt() * costs_.prompt_token + row_bytes();
  const std::int64_t needed = std::max(rollout_bytes(1), scored);
  if (needed <= budget_) return;
  throw_caller_error(
      "{} is {}, but a step needs {} for one completion of {} tokens after a "
      "prompt of {}; raise {}, or lower the number of new tokens",
      key,
      bytes_as_text(budget_),
      bytes_as_text(needed),
      shape_.new_tokens,
      longest_prompt(),
      key);
}

std::int64_t StepMemory::rows_at_once() const {
  const std::int64_t row = rollout_bytes(1) - features_;
  return std::min(shape_.rows(), (budget_ - features_) / row);
}

std::vector<std::vector<std::size_t>> StepMemory::parts_of(
    const std::vector<std::size_t>& prompts) const {
  const std::int64_t room = budget_ - features_;
  std::vector<std::vector<std::size_t>> parts;
  std::int64_t used = 0;
  const auto samples = static_cast<std::size_t>(shape_.samples);
  for (const std::size_t prompt : prompts) {
    bool there = false;  // whether the part has the prompt
    for (std::size_t row = prompt * samples; row < (prompt + 1) * samples;
         ++row) {
      std::int64_t more = row_bytes() + (there ? 0 : prompt_bytes(prompt));
      if (parts.empty() || used + more > room) {
        parts.emplace_back();
        used = 0;
        more = row_bytes() + prompt_bytes(prompt);
      }
      parts.back().push_back(row);
      used += more;
      there = true;
    }
  }
  return parts;
}

std::int64_t StepMemory::rollout_bytes(std::int64_t rows) const {
  const std::int64_t tokens = longest_prompt() + shape_.new_tokens;
  return features_ +
         rows * (tokens * costs_.decoded_token + costs_.decoded_row);
}

std::int64_t StepMemory::scoring_bytes(
    const std::vector<std::size_t>& rows) const {
  std::int64_t bytes = features_;
  std::optional<std::size_t> last;
  for (const std::size_t row : rows) {
    const std::size_t prompt = shape_.prompt_of(row);
    if (last != prompt) bytes += prompt_bytes(prompt);
    last = prompt;
    bytes += row_bytes();
  }
  return bytes;
}

std::int64_t StepMemory::longest_prompt() const {
  const auto& tokens = shape_.prompt_tokens;
  return *std::max_element(tokens.begin(), tokens.end());
}

std::int64_t StepMemory::prompt_bytes(std::size_t prompt) const {
  return shape_.prompt_tokens[prompt] * costs_.prompt_token;
}

std::int64_t StepMemory::row_bytes() const {
  return shape_.new_tokens * costs_.new_token;
}

}  // namespace moft
