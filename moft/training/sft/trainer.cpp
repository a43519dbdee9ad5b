// Likelihood of completions, its gradient and the update.
#include "moft/training/sft/trainer.h"

#include <algorithm>
#include <optional>

#include <ATen/core/grad_mode.h>

#include "moft/kernels/token_log_probs.h"

namespace moft {
namespace {

std::int64_t tokens_of(const std::vector<const SftPair*>& pairs) {
  std::int64_t tokens = 0;
  for (const SftPair* pair : pairs)
    tokens += pair->learned_tokens();
  return tokens;
}

// Pairs of like lengths pad each other least.
void sort_by_length(std::vector<const SftPair*>& pairs) {
  std::stable_sort(
      pairs.begin(), pairs.end(), [](const SftPair* a, const SftPair* b) {
        return a->prompt.size() < b->prompt.size();
      });
}

// Places of the learned tokens among those of all completions; none: all of
// them are learned.
std::optional<std::vector<std::int64_t>> learned_places(
    std::span<const SftPair* const> pairs) {
  const auto is_whole = [](const SftPair* pair) {
    return pair->learned.empty();
  };
  if (std::all_of(pairs.begin(), pairs.end(), is_whole)) return std::nullopt;
  std::vector<std::int64_t> places;
  std::int64_t at = 0;
  for (const SftPair* pair : pairs) {
    for (std::size_t i = 0; i < pair->completion.size(); ++i, ++at)
      if (is_whole(pair) || pair->learned[i] != 0) places.push_back(at);
  }
  return places;
}

// log p of every completion token that is learned, [tokens of the part].
at::Tensor log_probs_of(
    LanguageModel& model,
    std::span<const SftPair* const> pairs,
    const Coefficients& coefficients) {
  ScoreBatch batch;
  std::vector<std::int64_t> targets;
  for (const SftPair* pair : pairs) {
    batch.prompt_of_row.push_back(
        static_cast<std::int64_t>(batch.prompts.size()));
    batch.prompts.push_back(pair->prompt);
    batch.completions.push_back(pair->completion);
    targets.insert(
        targets.end(), pair->completion.begin(), pair->completion.end());
  }
  const at::Tensor logits =
      model.completion_logits(batch, RowSteering::uniform(coefficients));
  const at::Tensor log_probs = kernels::selected_log_probs(
      logits,
      at::tensor(targets, at::kLong).to(logits.device()),
      {.overwrite_logits = true});
  const auto places = learned_places(pairs);
  if (!places) return log_probs;
  return log_probs.index_select(
      0, at::tensor(*places, at::kLong).to(log_probs.device()));
}

// Number of held-out pairs scored at once.
constexpr std::size_t kScoredAtOnce = 16;

}  // namespace

PolicyDefinition sft_definition(std::string prompt_template) {
  PolicyDefinition definition;
  definition.objectives = {{kSftObjective, 0.0, 1.0}};
  definition.conditioning.steered_set = SteeredSet::kNone;
  definition.conditioning.alpha_min = 0.0;
  definition.prompt_template = std::move(prompt_template);
  return definition;
}

Steering sft_steering() {
  return {Weighting::uniform(1), 0.0};
}

StepMemory sft_memory(
    const ModelShape& model, StepShape shape, const SftOptions& options) {
  MemoryBudget budget;
  budget.bytes = options.budget_bytes();
  budget.key = "sft.memory_budget";
  budget.cure = "lower data.max_prompt_tokens or data.max_completion_tokens";
  return StepMemory(std::move(shape), costs_of_texts(model), budget);
}

void check_sft_memory(
    const ModelShape& model,
    const std::vector<SftPair>& pairs,
    const SftOptions& options) {
  StepShape longest{{1}};
  for (const SftPair& pair : pairs) {
    longest.prompt_tokens[0] =
        std::max(longest.prompt_tokens[0], std::ssize(pair.prompt));
    longest.new_tokens =
        std::max(longest.new_tokens, std::ssize(pair.completion));
  }
  (void)sft_memory(model, std::move(longest), options);
}

SftTrainer::SftTrainer(SftInputs inputs, SftOptions options)
    : SupervisedTrainer(
          *inputs.policy->conditioning(),
          options,
          "sft",
          {inputs.train->size(), options.pairs_per_step, inputs.shuffle}),
      inputs_(inputs),
      options_(std::move(options)),
      coefficients_(inputs.policy->coefficients_of(sft_steering())) {}

RunOptions SftTrainer::run_options() const {
  RunOptions run = loop_options();
  run.memory_cure = kSftMemoryCure;
  run.evaluate_every = options_.evaluation.every;
  run.objectives = inputs_.policy->names();
  using Format = ProgressFigure::Format;
  run.progress = {
      {"loss", "loss", Format::kNumber, 4},
      {"held_out", "held_out/loss", Format::kNumber, 4},
      {"grad_norm", "grad_norm"},
      {"epoch", "epoch"},
      {"tokens_per_second", "tokens_per_second"}};
  return run;
}

// Completions count as the longest of the step.
StepMemory SftTrainer::memory_of(std::span<const SftPair* const> pairs) const {
  StepShape shape;
  for (const SftPair* pair : pairs) {
    shape.prompt_tokens.push_back(std::ssize(pair->prompt));
    shape.new_tokens = std::max(shape.new_tokens, std::ssize(pair->completion));
  }
  return sft_memory(
      shape_of(*inputs_.policy->base().model), std::move(shape), options_);
}

TokenLikelihood SftTrainer::differentiate(std::vector<const SftPair*> batch) {
  sort_by_length(batch);
  TokenLikelihood likelihood{0.0, tokens_of(batch)};
  const std::span<const SftPair* const> all(batch);
  const auto differentiate_part = [&](const ItemRange& part) {
    const at::Tensor log_probs = log_probs_of(
        inputs_.policy->model(),
        all.subspan(part.first, part.second - part.first),
        coefficients_);
    const at::Tensor sum = log_probs.sum(at::kDouble);
    likelihood.log_prob += sum.item<double>();
    (sum / -static_cast<double>(likelihood.tokens)).backward();
  };
  differentiate_parts(
      all.size(), memory_of(all), coefficients_, differentiate_part);
  return likelihood;
}

std::map<std::string, double> SftTrainer::learn(
    const std::vector<std::size_t>& rows) {
  std::vector<const SftPair*> batch;
  for (const std::size_t row : rows)
    batch.push_back(&(*inputs_.train)[row]);
  const TokenLikelihood likelihood = differentiate(std::move(batch));
  return {
      {"loss", likelihood.loss()},
      {"tokens", static_cast<double>(likelihood.tokens)}};
}

TokenLikelihood SftTrainer::held_out() const {
  at::NoGradGuard no_gradient;
  std::vector<const SftPair*> pairs;
  for (const SftPair& pair : *inputs_.held_out) {
    if (std::ssize(pairs) == options_.evaluation.pairs) break;
    pairs.push_back(&pair);
  }
  sort_by_length(pairs);
  TokenLikelihood likelihood{0.0, tokens_of(pairs)};
  const std::span<const SftPair* const> all(pairs);
  for (std::size_t begin = 0; begin < pairs.size(); begin += kScoredAtOnce) {
    const std::size_t count = std::min(kScoredAtOnce, pairs.size() - begin);
    likelihood.log_prob +=
        log_probs_of(
            inputs_.policy->model(), all.subspan(begin, count), coefficients_)
            .sum(at::kDouble)
            .item<double>();
  }
  return likelihood;
}

std::map<std::string, double> SftTrainer::evaluate() const {
  const double loss = held_out().loss();
  require_finite_loss(loss);
  return {{"held_out/loss", loss}};
}

}  // namespace moft
