// Prompts of a step in minibatches, and what their losses are divided by.
#include "moft/training/minibatches.h"

#include <algorithm>
#include <utility>

#include "moft/algorithms/token_weights.h"
#include "moft/core/random.h"

namespace moft {
namespace {

using Prompts = std::vector<std::size_t>;

// All prompts, shuffled where a pass has several updates.
Prompts order_of(
    const Draw& draw, const TrainingOptions& options, std::int64_t pass) {
  Prompts order = all_prompts(draw);
  if (options.rule().updates == 1) return order;
  RandomStream random(
      static_cast<std::uint64_t>(options.seed),
      Purpose::kMinibatch,
      static_cast<std::uint32_t>(draw.step),
      static_cast<std::uint32_t>(pass));
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

// Bool [B]: rows that have no part in the loss.
at::Tensor masked_rows(const Experience& experience, bool masks_truncated) {
  const at::Tensor masked = experience.is_kept().logical_not();
  return masks_truncated
             ? masked.logical_or(experience.rollout.truncated().ne(0.0))
             : masked;
}

}  // namespace

std::vector<Minibatch> minibatches_of(
    const Experience& experience,
    const TrainingOptions& options,
    std::int64_t pass) {
  const UpdateRule rule = options.rule();
  if (!rule.loss) return {whole_batch(experience)};
  const Draw& draw = experience.draw;
  const LossType type = *rule.loss;
  const at::Tensor lengths = experience.rollout.lengths();
  const at::Tensor masked = masked_rows(experience, rule.masks_truncated);
  const at::Tensor weights = token_weights(type, lengths, masked);
  const at::Tensor counts = lengths.masked_fill(masked, 0);
  const at::Tensor kept = experience.is_kept().to(at::kLong);
  const Prompts order = order_of(draw, options, pass);
  const auto updates = static_cast<std::size_t>(rule.updates);
  std::vector<Minibatch> result;
  for (std::size_t i = 0; i < updates; ++i) {
    const auto cut = [&](std::size_t k) {
      return order.begin() +
             static_cast<std::ptrdiff_t>(k * order.size() / updates);
    };
    Minibatch minibatch;
    minibatch.prompts.assign(cut(i), cut(i + 1));
    std::sort(minibatch.prompts.begin(), minibatch.prompts.end());
    const auto sum = [&](const at::Tensor& of_rows) {
      const at::Tensor by_prompt =
          of_rows.view({-1, draw.samples_per_prompt}).sum(1);
      double total = 0.0;
      for (const std::size_t p : minibatch.prompts) {
        total += static_cast<double>(
            by_prompt[static_cast<std::int64_t>(p)].item<std::int64_t>());
      }
      return total;
    };
    LossShape shape;
    shape.rows = sum(kept);
    shape.tokens = sum(counts);
    shape.all_tokens = static_cast<double>(counts.sum().item<std::int64_t>());
    shape.minibatches = static_cast<double>(updates);
    shape.longest = static_cast<double>(options.max_new_tokens);
    minibatch.normaliser = loss_normaliser(type, shape);
    minibatch.token_weights = weights;
    minibatch.empty = shape.tokens == 0.0;
    result.push_back(std::move(minibatch));
  }
  return result;
}

}  // namespace moft
