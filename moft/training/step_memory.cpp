// Filling parts with rows as long as they fit.
#include "moft/training/step_memory.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/models/page_pool.h"

namespace moft {
namespace {

std::int64_t longest_of(const std::vector<std::int64_t>& prompt_tokens) {
  return *std::max_element(prompt_tokens.begin(), prompt_tokens.end());
}

}  // namespace

std::vector<ItemRange> slices_of(std::size_t count, std::int64_t slices) {
  const auto wanted = static_cast<std::size_t>(slices);
  std::vector<ItemRange> result;
  for (std::size_t slice = 0; slice < wanted; ++slice) {
    const ItemRange range{count * slice / wanted, count * (slice + 1) / wanted};
    if (range.first < range.second) result.push_back(range);
  }
  return result;
}

StepMemory::StepMemory(
    StepShape shape, const StepCosts& costs, MemoryBudget budget)
    : shape_(std::move(shape)),
      costs_(costs),
      budget_(std::move(budget)),
      longest_(longest_of(shape_.prompt_tokens)) {
  const std::int64_t new_tokens =
      saturated_product(shape_.rows(), shape_.new_tokens);
  features_ = saturated_product(
      saturated_sum(prompt_tokens(), new_tokens), costs_.feature_token);
  const std::int64_t longest = prompt_bytes(longest_);
  const std::int64_t scored = saturated_sum(
      held(),
      saturated_sum(longest, saturated_product(least_rows(), row_bytes())));
  const std::int64_t needed =
      std::max(saturated_sum(held(), decoding_bytes(1)), scored);
  if (needed <= budget_.bytes) return;
  throw_caller_error(
      "{} is {}, but {} needs {} for {}a prompt of {} tokens; raise {}, or {}",
      budget_.key,
      bytes_as_text(budget_.bytes),
      budget_.user,
      bytes_as_text(needed),
      shape_.new_tokens == 0
          ? std::string()
          : fmt::format(
                "{} of {} tokens after ",
                least_rows() == 1 ? std::string("one completion")
                                  : fmt::format("{} completions", least_rows()),
                shape_.new_tokens),
      longest_,
      budget_.key,
      budget_.cure);
}

// Decoding more rows takes more, so the number is found by halving.
std::int64_t StepMemory::rows_at_once() const {
  std::int64_t fits = 1;
  std::int64_t most = shape_.rows();
  while (fits < most) {
    const std::int64_t middle = most - (most - fits) / 2;
    if (rollout_bytes(middle) <= budget_.bytes - budget_.held) {
      fits = middle;
    } else {
      most = middle - 1;
    }
  }
  return fits;
}

std::vector<std::vector<std::size_t>> StepMemory::parts_of(
    const std::vector<std::size_t>& prompts) const {
  const std::int64_t room = budget_.bytes - held();
  std::vector<std::vector<std::size_t>> parts;
  std::int64_t used = 0;
  const auto samples = static_cast<std::size_t>(shape_.samples);
  for (const std::size_t prompt : prompts) {
    bool there = false;  // whether the part has the prompt
    for (std::size_t row = prompt * samples; row < (prompt + 1) * samples;
         ++row) {
      const std::int64_t tokens = shape_.prompt_tokens[prompt];
      std::int64_t more = row_bytes() + (there ? 0 : prompt_bytes(tokens));
      // What has to be in the same part; none once its first row is there.
      const std::int64_t needed =
          !shape_.together ? more
          : there          ? 0
                           : more + (shape_.samples - 1) * row_bytes();
      if (parts.empty() || used + needed > room) {
        parts.emplace_back();
        used = 0;
        more = row_bytes() + prompt_bytes(tokens);
      }
      parts.back().push_back(row);
      used += more;
      there = true;
    }
  }
  return parts;
}

ItemSlices StepMemory::parts_of_slices(
    std::size_t count, std::int64_t slices) const {
  TORCH_CHECK(shape_.samples == 1, "[step_memory] slices of prompts alone");
  ItemSlices result;
  for (const auto& [begin, end] : slices_of(count, slices)) {
    std::vector<std::size_t> items(end - begin);
    std::iota(items.begin(), items.end(), begin);
    result.emplace_back();
    for (const auto& part : parts_of(items))
      result.back().emplace_back(part.front(), part.front() + part.size());
  }
  return result;
}

bool StepMemory::has_room_for_graph(std::int64_t between) const {
  const std::int64_t kept = saturated_sum(held(), graph_bytes());
  const std::int64_t beside = std::max(decoding_bytes(shape_.rows()), between);
  return saturated_sum(kept, beside) <= budget_.bytes;
}

std::int64_t StepMemory::rollout_bytes(std::int64_t rows) const {
  return saturated_sum(features_, decoding_bytes(rows));
}

// Rows that follow one another; they share the pages of a prompt.
std::int64_t StepMemory::decoding_bytes(std::int64_t rows) const {
  const std::int64_t prompt = longest_;
  const std::int64_t all = shape_.new_tokens + prompt;
  const std::int64_t shared =
      costs_.encodes ? pages_of(prompt) : prompt / kPageSize;
  const std::int64_t own =
      costs_.encodes ? pages_of(1 + shape_.new_tokens) : pages_of(all) - shared;
  // The first row may be any sample of its prompt.
  const std::int64_t prompts = std::min(
      std::ssize(shape_.prompt_tokens),
      rows == 1 ? 1 : (rows - 2) / shape_.samples + 2);
  const std::int64_t pages = saturated_sum(
      saturated_product(prompts, shared), saturated_product(rows, own));
  return saturated_sum(
      saturated_product(
          saturated_product(pages, kPageSize), costs_.decoded_token),
      saturated_product(rows, costs_.decoded_row));
}

std::int64_t StepMemory::scoring_bytes(
    const std::vector<std::size_t>& rows) const {
  std::int64_t bytes = features_;
  std::optional<std::size_t> last;
  for (const std::size_t row : rows) {
    const std::size_t prompt = shape_.prompt_of(row);
    if (last != prompt) bytes += prompt_bytes(shape_.prompt_tokens[prompt]);
    last = prompt;
    bytes += row_bytes();
  }
  return bytes;
}

std::int64_t StepMemory::least_rows() const {
  return shape_.together ? shape_.samples : 1;
}

std::int64_t StepMemory::prompt_tokens() const {
  const auto& tokens = shape_.prompt_tokens;
  return std::accumulate(
      tokens.begin(), tokens.end(), std::int64_t{0}, saturated_sum);
}

std::int64_t StepMemory::held() const {
  return saturated_sum(budget_.held, features_);
}

std::int64_t StepMemory::graph_bytes() const {
  return saturated_product(prompt_tokens(), costs_.graph_token);
}

std::int64_t StepMemory::prompt_bytes(std::int64_t tokens) const {
  const std::int64_t own = saturated_sum(
      saturated_product(tokens, costs_.prompt_token),
      saturated_product(saturated_product(tokens, tokens), costs_.prompt_pair));
  return saturated_sum(own, saturated_product(longest_, costs_.padded_token));
}

std::int64_t StepMemory::row_bytes() const {
  return saturated_product(shape_.new_tokens, costs_.new_token);
}

StepMemory value_memory(
    const ModelShape& network,
    std::vector<std::int64_t> prompt_tokens,
    std::int64_t budget,
    std::int64_t held) {
  return value_memory(
      network, StepShape{std::move(prompt_tokens), 1, 0}, budget, held);
}

StepMemory value_memory(
    const ModelShape& network,
    StepShape shape,
    std::int64_t budget,
    std::int64_t held) {
  MemoryBudget left;
  left.bytes = budget;
  left.held = held;
  left.user = "the value network, beside what a rollout keeps,";
  return StepMemory(std::move(shape), costs_of_texts(network), left);
}

std::int64_t value_bytes(
    const ModelShape& network, std::int64_t tokens, std::int64_t new_tokens) {
  const StepCosts costs = costs_of_texts(network);
  return saturated_sum(
      saturated_product(
          tokens, saturated_sum(costs.prompt_token, costs.padded_token)),
      saturated_product(new_tokens, costs.new_token));
}

}  // namespace moft
