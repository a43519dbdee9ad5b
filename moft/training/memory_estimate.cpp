// How much memory a training needs.
#include "moft/training/memory_estimate.h"

#include <algorithm>
#include <numeric>

#include "moft/generation/mixtures.h"
#include "moft/training/ranks.h"
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

// The attentions that are steered. A decoder that looks at an encoder has two
// in each layer.
std::int64_t attentions_of(
    const ModelShape& s, const AttentionOptions& options) {
  const std::int64_t most = options.layers.value_or(s.layers);
  const std::int64_t decoder = s.layers - s.encoder_layers;
  return std::min(s.encoder_layers, most) +
         (s.encoder_layers > 0 ? 2 : 1) * std::min(decoder, most);
}

bool by_copies(SteeredSet set) {
  return set != SteeredSet::kLora && set != SteeredSet::kNone;
}

// Whether a step has one steering, of which one mixture is made.
bool has_one_mixture(const MemoryQuestion& question) {
  const TrainingOptions& training = question.training;
  const bool one = training.weighting_per == WeightingPer::kBatch ||
                   training.prompts_per_step == 1;
  return one && by_copies(question.conditioning.steered_set);
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

// Parameters of the layers that no gradient of adapters passes.
std::int64_t parameters_below(
    const ModelShape& s, const ConditioningOptions& options) {
  const LayerRange range =
      parse_layers(options.lora.layers, s.layers, "conditioning.lora.layers");
  const std::int64_t layer = s.width * (2 * s.query_width + 2 * s.key_width +
                                        (s.gated ? 3 : 2) * s.feed_forward);
  return range.first * layer;
}

// How often a matrix is there that is multiplied forwards and backwards.
std::int64_t forms_of(const MemoryQuestion& question) {
  return question.on_gpu ? 1 : 2;
}

// Frozen parameters that a gradient passes on its way to what is trained.
std::int64_t parameters_passed(const MemoryQuestion& question) {
  const ModelShape& shape = question.shape;
  const ConditioningOptions& options = question.conditioning;
  const auto counts = trained_parameters(question);
  switch (options.steered_set) {
    case SteeredSet::kLora:
      return shape.parameters - parameters_below(shape, options);
    case SteeredSet::kAttention:
      return shape.parameters - counts.steered - counts.common;
    default:  // nothing frozen, or nothing below
      return 0;
  }
}

std::int64_t weight_bytes(const MemoryQuestion& question) {
  const std::int64_t s = question.bf16 ? kBf16 : kFloat;
  const std::int64_t all = question.shape.parameters * s;
  // Elsewhere copies are mixed with float32 numbers of the file.
  const bool in_blocks =
      !question.bf16 &&
      !(question.on_gpu && by_copies(question.conditioning.steered_set));
  const std::int64_t forwards =
      in_blocks ? question.block_bytes.value_or(all) : all;
  if (forms_of(question) == 1) return forwards;
  return forwards + s * parameters_passed(question);
}

// What copies, and whatever is trained whole, take beside themselves.
std::int64_t mixture_bytes(const MemoryQuestion& question) {
  const std::int64_t s = question.bf16 ? kBf16 : kFloat;
  const auto [steered, common, trained, summed] = trained_parameters(question);
  const auto most = static_cast<std::int64_t>(kMixturesAtOnce);
  const std::int64_t m = question.objectives;
  const std::int64_t kept = std::min(
      steerings_of_rank(question),
      question.bf16 ? std::max(most, m + 1) : m + 1);
  const bool table = question.conditioning.steered_set == SteeredSet::kFull ||
                     question.conditioning.steered_set == SteeredSet::kPattern;
  const ModelShape& shape = question.shape;
  return steered * kFloat + common * s + kept * steered * s +
         (table ? shape.vocabulary * shape.width * kFloat : 0);
}

std::int64_t share_of(std::int64_t bytes, bool sharded, std::int64_t ranks) {
  return sharded ? (bytes + ranks - 1) / ranks : bytes;
}

const ModelShape& value_network(const MemoryQuestion& question) {
  return question.value_network ? *question.value_network : question.shape;
}

// Sums of gradients that are there at once. One process adds slice to slice;
// a rank keeps its slices until those of the ranks before it are added.
std::int64_t sums_of_slices(const MemoryQuestion& question) {
  const std::int64_t parts = parts_of_rank(question);
  return question.ranks == 1 ? std::min<std::int64_t>(parts, 2) : parts;
}

// The step's gradient and one of each objective, to compare them.
std::int64_t gradient_copies(const MemoryQuestion& question) {
  return question.training.gradient_cosine_every ? question.objectives + 1 : 0;
}

// Gradients that are there when a part of a slice is scored: of the slices
// before it, of the parts before it, and those that are compared.
std::int64_t numbers_left(const MemoryQuestion& question, std::size_t parts) {
  const auto [steered, common, trained, summed] = trained_parameters(question);
  const bool adapters = question.conditioning.steered_set == SteeredSet::kLora;
  const std::int64_t own = adapters ? summed : steered + common;
  return (sums_of_slices(question) - 1) * summed + (parts > 1 ? own : 0) +
         gradient_copies(question) * trained;
}

void count_parameters(
    const MemoryQuestion& question, MemoryEstimate& estimate) {
  const TrainingOptions& training = question.training;
  const auto [steered, common, trained, summed] = trained_parameters(question);
  estimate.weights = weight_bytes(question);
  const std::int64_t all = (trained - common) * kFloat;
  estimate.masters =
      share_of(all, question.sharding.copies, question.ranks) + common * kFloat;
  if (training.evaluation.every)
    estimate.evaluation = all + common * kFloat - estimate.masters;
  const std::int64_t sums = sums_of_slices(question);
  estimate.gradients =
      (sums * summed + gradient_copies(question) * trained) * kFloat;
  if (question.conditioning.steered_set == SteeredSet::kLora) {
    estimate.masters += forms_of(question) * trained * kFloat;
  } else {
    estimate.masters += mixture_bytes(question);
    estimate.gradients += (steered + common) * kFloat;
  }
  const bool adamw = training.optimizer.kind == OptimizerKind::kAdamW;
  estimate.optimizer = share_of(
      (adamw ? 2 : 1) * trained * kFloat,
      question.sharding.optimizer,
      question.ranks);
  if (training.has_value_network())
    estimate.value = (4 + sums) * value_network(question).parameters * kFloat;
}

void count_step(const MemoryQuestion& question, MemoryEstimate& estimate) {
  const TrainingOptions& training = question.training;
  const std::int64_t prompts = prompts_of_rank(question);
  StepShape shape;
  shape.prompt_tokens.assign(
      static_cast<std::size_t>(prompts), question.prompt_tokens);
  shape.samples = training.samples_per_prompt;
  shape.new_tokens = training.max_new_tokens;
  const StepCosts costs =
      step_costs(question.shape, question.conditioning, training.kl_estimator);
  const StepMemory memory(shape, costs, {training.budget_bytes()});
  const std::int64_t rows = memory.rows_at_once();
  estimate.rollout = memory.rollout_bytes(rows);
  estimate.cache =
      estimate.rollout - memory.feature_bytes() - rows * costs.decoded_row;
  // All prompts count as the longest, so the first group has the largest part.
  const std::int64_t groups = std::min(parts_of_rank(question), prompts);
  std::vector<std::size_t> group(
      static_cast<std::size_t>((prompts + groups - 1) / groups));
  std::iota(group.begin(), group.end(), std::size_t{0});
  const auto parts = memory.parts_of(group);
  for (const auto& part : parts)
    estimate.scoring = std::max(estimate.scoring, memory.scoring_bytes(part));
  estimate.left = numbers_left(question, parts.size()) * kFloat;
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
      return attentions_of(shape, options.attention) * 2 * shape.width *
             (shape.query_width + shape.key_width);
    case SteeredSet::kLogits:
      return shape.vocabulary * shape.width;
    case SteeredSet::kNone:
      return 0;
    default:
      return shape.parameters;
  }
}

TrainedParameters trained_parameters(const MemoryQuestion& question) {
  TrainedParameters counts;
  counts.steered = steered_parameters(question.shape, question.conditioning);
  counts.common = common_parameters(question, counts.steered);
  counts.trained = question.objectives * counts.steered + counts.common;
  counts.summed = has_one_mixture(question) ? counts.steered + counts.common
                                            : counts.trained;
  return counts;
}

std::int64_t prompts_of_rank(const MemoryQuestion& question) {
  return question.training.prompts_per_step / question.ranks;
}

std::int64_t steerings_of_rank(const MemoryQuestion& question) {
  return question.training.weighting_per == WeightingPer::kBatch
             ? 1
             : prompts_of_rank(question);
}

std::int64_t parts_of_rank(const MemoryQuestion& question) {
  const TrainingOptions& training = question.training;
  if (question.ranks == 1) return training.gradient_accumulation;
  const auto ranks = static_cast<int>(question.ranks);
  const std::int64_t slices = slices_of_ranks(
      training.gradient_accumulation, items_of(training), ranks, "training.");
  return slices / question.ranks;
}

Sharding sharding_of(const MemoryQuestion& question) {
  return {
      question.ranks > 1,
      shares_copies(question.conditioning, question.training, question.ranks)};
}

std::int64_t MemoryEstimate::held() const {
  return weights + masters + optimizer + value;
}

std::int64_t MemoryEstimate::peak() const {
  return held() + std::max(
                      {rollout,
                       value_pass + gradients,
                       scoring + left,
                       gradients,
                       evaluation});
}

std::int64_t resident_bytes(const MemoryEstimate& estimate) {
  constexpr std::int64_t kProgram = 300'000'000;
  const std::int64_t peak = estimate.peak();
  return peak + peak / 16 + kProgram;
}

MemoryEstimate estimate_memory(const MemoryQuestion& question) {
  MemoryEstimate estimate;
  count_parameters(question, estimate);
  count_step(question, estimate);
  if (estimate.evaluation > 0) estimate.evaluation += estimate.rollout;
  return estimate;
}

}  // namespace moft
