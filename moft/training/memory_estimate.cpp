// How much memory a training needs.
#include "moft/training/memory_estimate.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace moft {
namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kBf16 = 2;

// Matrices of a decoder layer's attention: q and o, k and v.
std::int64_t attention_parameters(const ModelShape& s) {
  return 2 * s.width * (s.query_width + s.key_width);
}

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

std::int64_t adapter_parameters(const ModelShape& s, const LoraOptions& lora) {
  const LayerRange range =
      parse_layers(lora.layers, s.layers, "conditioning.lora.layers");
  std::int64_t sides = 0;
  for (const LinearKind kind : lora.modules)
    sides += sides_of(s, kind);
  return (range.last - range.first + 1) * lora.rank * sides;
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
  estimate.gradients = trained * kFloat;
  if (options.steered_set != SteeredSet::kLora) {
    estimate.masters += (steered + common) * (kFloat + 2 * s);
    estimate.gradients += (steered + common) * kFloat;
  }
  if (by_copies(options.steered_set)) {
    const bool one = training.weighting_per == WeightingPer::kBatch;
    const std::int64_t steerings = one ? 1 : training.prompts_per_step;
    const std::int64_t kept =
        question.bf16 ? steerings : std::min(steerings, m + 1);
    estimate.masters += kept * steered * s;
  }
  const bool adamw = training.optimizer.kind == OptimizerKind::kAdamW;
  estimate.optimizer = (adamw ? 2 : 1) * trained * kFloat;
  if (training.baseline == Baseline::kValue)
    estimate.value = 5 * question.shape.parameters * kFloat;
}

void count_step(const MemoryQuestion& question, MemoryEstimate& estimate) {
  const ModelShape& s = question.shape;
  const TrainingOptions& training = question.training;
  const std::int64_t prompts = training.prompts_per_step;
  const std::int64_t samples = training.samples_per_prompt;
  const std::int64_t rows = prompts * samples;
  const std::int64_t n = question.prompt_tokens;
  const std::int64_t fresh = training.max_new_tokens;
  const std::int64_t logits = s.vocabulary * kFloat;
  const std::int64_t buffers =
      rows * (n + fresh) * s.layers * 2 * s.key_width * kFloat;
  const std::int64_t features = (prompts * n + rows * fresh) * s.width * kFloat;
  estimate.rollout = buffers + features + 2 * rows * logits;

  const std::int64_t parts = std::min(training.gradient_accumulation, prompts);
  const std::int64_t part_prompts = (prompts + parts - 1) / parts;
  const std::int64_t part_rows = part_prompts * samples;
  const std::int64_t tokens = part_prompts * n + part_rows * fresh;
  // Two norms with what enters and leaves them, q and what attention gives,
  // k and v, and the feed-forward layer's inner states.
  const std::int64_t kept = 6 * s.width + 2 * s.query_width + 2 * s.key_width +
                            (s.gated ? 3 : 2) * s.feed_forward;
  const bool direct = differentiates_kl(training.kl_estimator);
  estimate.scoring = features + tokens * s.layers * kept * kFloat +
                     (direct ? 8 : 3) * part_rows * fresh * logits;
}

}  // namespace

ModelShape shape_of(const SequenceModel& model) {
  const Steerable& steerable = model.steerable();
  ModelShape s;
  s.parameters = model.info().parameters;
  s.vocabulary = model.info().vocabulary;
  s.width = model.info().width;
  s.layers = steerable.layers;
  s.gated = false;
  for (const SteerableLinear& entry : steerable.linears) {
    if (entry.kind == "q") s.query_width = entry.linear->out();
    if (entry.kind == "k") s.key_width = entry.linear->out();
    if (entry.kind == "up") s.feed_forward = entry.linear->out();
    if (entry.kind == "gate") s.gated = true;
    if (entry.kind == "head")
      s.tied_head = &entry.linear->weight() == steerable.parameters[0].get();
  }
  return s;
}

std::int64_t steered_parameters(
    const ModelShape& shape, const ConditioningOptions& options) {
  switch (options.steered_set) {
    case SteeredSet::kLora:
      return adapter_parameters(shape, options.lora);
    case SteeredSet::kAttention:
      return std::min(
                 shape.layers,
                 options.attention.layers.value_or(shape.layers)) *
             attention_parameters(shape);
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
         std::max(rollout, scoring);
}

MemoryEstimate estimate_memory(const MemoryQuestion& question) {
  MemoryEstimate estimate;
  count_parameters(question, estimate);
  count_step(question, estimate);
  return estimate;
}

std::string bytes_as_text(std::int64_t bytes) {
  double value = static_cast<double>(bytes) / 1e6;
  const char* unit = "MB";
  if (value >= 1000.0) {
    value /= 1000.0;
    unit = "GB";
  }
  if (value >= 10.0) return fmt::format("{:.0f} {}", std::ceil(value), unit);
  return fmt::format("{:.1f} {}", std::ceil(10.0 * value) / 10.0, unit);
}

}  // namespace moft
