// How much memory a training needs.
#include "moft/training/memory_estimate.h"

#include <algorithm>
#include <numeric>

#include "moft/generation/mixtures.h"
#include "moft/training/step_memory.h"

namespace moft {
namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kBf16 = 2;

// Rows and columns together of a linear map: an adapter's size per rank.
std::int64_t sides_of(const ModelShape& s, LinearKind kind) {
  switch (kind) {
    case LinearKind::kQ:
    case LinearKind::kO:
      return s.width + s.query_width;
    case LinearKind::kK:
    case LinearKind::kV:
      return s.width + s.key_width;
    default:
      return s.width + s.feed_forward;
  }
}

bool is_of_attention(LinearKind kind) {
  return kind == LinearKind::kQ || kind == LinearKind::kK ||
         kind == LinearKind::kV || kind == LinearKind::kO;
}

std::int64_t adapter_parameters(const ModelShape& s, const LoraOptions& lora) {
  const LayerRange range =
      parse_layers(lora.layers, s.layers, "conditioning.lora.layers");
  std::int64_t sides = 0;
  std::int64_t of_attention = 0;
  for (const LinearKind kind : lora.modules) {
    sides += sides_of(s, kind);
    if (is_of_attention(kind)) of_attention += sides_of(s, kind);
  }
  // A decoder that looks at an encoder has attention twice.
  const std::int64_t twice =
      s.encoder_layers == 0
          ? 0
          : std::max<std::int64_t>(
                0, range.last + 1 - std::max(range.first, s.encoder_layers));
  return lora.rank *
         ((range.last - range.first + 1) * sides + twice * of_attention);
}

bool by_copies(SteeredSet set) {
  return set != SteeredSet::kLora && set != SteeredSet::kNone;
}

// Trained parameters that all weightings share.
std::int64_t common_parameters(
    const MemoryQuestion& question, std::int64_t steered) {
  const ConditioningOptions& options = question.conditioning;
  const bool frozen = options.freeze_shared ||
                      options.steered_set == SteeredSet::kLora ||
                      options.steered_set == SteeredSet::kFull ||
                      options.steered_set == SteeredSet::kPattern;
  return frozen ? 0 : question.shape.parameters - steered;
}

const ModelShape& value_network(const MemoryQuestion& question) {
  return question.value_network ? *question.value_network : question.shape;
}

void count_parameters(
    const MemoryQuestion& question, MemoryEstimate& estimate) {
  const std::int64_t s = question.bf16 ? kBf16 : kFloat;
  const ConditioningOptions& options = question.conditioning;
  const TrainingOptions& training = question.training;
  const std::int64_t steered = steered_parameters(question.shape, options);
  const std::int64_t common = common_parameters(question, steered);
  const std::int64_t m = question.objectives;
  const std::int64_t trained = m * steered + common;
  estimate.weights = 2 * question.shape.parameters * s;
  estimate.masters = trained * kFloat;
  const std::int64_t copies = training.gradient_cosine_every ? m + 1 : 0;
  // Several slices have a sum beside the one that is open.
  const std::int64_t sums = training.gradient_accumulation > 1 ? 2 : 1;
  estimate.gradients = (sums + copies) * trained * kFloat;
  if (options.steered_set == SteeredSet::kLora) {
    estimate.masters += 2 * trained * kFloat;
  } else {
    estimate.masters += (steered + common) * (kFloat + 2 * s);
    estimate.gradients += (steered + common) * kFloat;
  }
  if (by_copies(options.steered_set)) {
    const bool one = training.weighting_per == WeightingPer::kBatch;
    const std::int64_t steerings = one ? 1 : training.prompts_per_step;
    const auto most = static_cast<std::int64_t>(kMixturesAtOnce);
    const std::int64_t kept =
        std::min(steerings, question.bf16 ? std::max(most, m + 1) : m + 1);
    estimate.masters += kept * steered * s;
  }
  const bool adamw = training.optimizer.kind == OptimizerKind::kAdamW;
  estimate.optimizer = (adamw ? 2 : 1) * trained * kFloat;
  if (training.has_value_network())
    estimate.value = (4 + sums) * value_network(question).parameters * kFloat;
}

void count_step(const MemoryQuestion& question, MemoryEstimate& estimate) {
  const TrainingOptions& training = question.training;
  StepShape shape;
  shape.prompt_tokens.assign(
      static_cast<std::size_t>(training.prompts_per_step),
      question.prompt_tokens);
  shape.samples = training.samples_per_prompt;
  shape.new_tokens = training.max_new_tokens;
  const StepMemory memory(
      shape,
      step_costs(question.shape, question.conditioning, training.kl_estimator),
      {training.budget_bytes()});
  estimate.rollout = memory.rollout_bytes(memory.rows_at_once());
  // All prompts count as the longest, so the first group has the largest part.
  const std::int64_t groups =
      std::min(training.gradient_accumulation, training.prompts_per_step);
  std::vector<std::size_t> group(static_cast<std::size_t>(
      (training.prompts_per_step + groups - 1) / groups));
  std::iota(group.begin(), group.end(), std::size_t{0});
  const auto parts = memory.parts_of(group);
  for (const auto& part : parts)
    estimate.scoring = std::max(estimate.scoring, memory.scoring_bytes(part));
  const bool values = training.has_value_network();
  const ModelShape& network = value_network(question);
  StepShape value_shape = shape;
  if (!training.rule().values_tokens)
    value_shape = {shape.prompt_tokens, /*samples=*/1, /*new_tokens=*/0};
  const std::int64_t between =
      values
          ? value_bytes(network, question.prompt_tokens, value_shape.new_tokens)
          : 0;
  const bool keeps_graph = groups == 1 && training.rule().updates == 1 &&
                           parts.size() == 1 &&
                           memory.has_room_for_graph(between);
  const std::int64_t graph = keeps_graph ? memory.graph_bytes() : 0;
  estimate.rollout += graph;
  if (!values) return;
  const std::int64_t held = memory.feature_bytes() + graph;
  const StepMemory passes =
      value_memory(network, value_shape, training.budget_bytes(), held);
  for (const auto& part : passes.parts_of(group)) {
    estimate.value_pass =
        std::max(estimate.value_pass, held + passes.scoring_bytes(part));
  }
}

}  // namespace

std::int64_t steered_parameters(
    const ModelShape& shape, const ConditioningOptions& options) {
  switch (options.steered_set) {
    case SteeredSet::kLora:
      return adapter_parameters(shape, options.lora);
    case SteeredSet::kAttention:
      return std::min(
                 shape.layers,
                 options.attention.layers.value_or(shape.layers)) *
             2 * shape.width * (shape.query_width + shape.key_width);
    case SteeredSet::kLogits:
      return shape.vocabulary * shape.width;
    case SteeredSet::kNone:
      return 0;
    default:
      return shape.parameters;
  }
}

std::int64_t MemoryEstimate::peak() const {
  return weights + masters + gradients + optimizer + value +
         std::max({rollout, value_pass, scoring});
}

MemoryEstimate estimate_memory(const MemoryQuestion& question) {
  MemoryEstimate estimate;
  count_parameters(question, estimate);
  count_step(question, estimate);
  return estimate;
}

}  // namespace moft
