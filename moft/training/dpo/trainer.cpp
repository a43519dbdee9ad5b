// Preferences of pairs, their loss, its gradient and the update.
#include "moft/training/dpo/trainer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/token_sums.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"
#include "moft/weightings/grid.h"

namespace moft {
namespace {

// The name in TrainerState::sampler beside the sampler's own.
constexpr const char* kReferences = "dpo.reference_log_probs";

// Held-out pairs that are scored at once, at most.
constexpr std::size_t kScoredAtOnce = 16;

at::Tensor unknown(std::size_t pairs) {
  return at::full(
      {static_cast<std::int64_t>(pairs), 2},
      std::numeric_limits<double>::quiet_NaN(),
      at::kDouble);
}

StepMemory dpo_memory(
    const ModelShape& model,
    const ConditioningOptions& conditioning,
    StepShape shape,
    const DpoOptions& options) {
  MemoryBudget budget;
  budget.bytes = options.budget_bytes();
  budget.key = "dpo.memory_budget";
  budget.cure = "lower data.max_prompt_tokens or data.max_completion_tokens";
  shape.samples = 2;
  shape.together = true;
  StepCosts costs = step_costs(model, conditioning, KlEstimator::kSequence);
  // Nothing is sampled.
  costs.decoded_token = 0;
  costs.decoded_row = 0;
  costs.graph_token = 0;
  costs.feature_token = 0;
  return StepMemory(std::move(shape), costs, budget);
}

// The part's pairs among the batch's: rows 2p and 2p + 1 are pair p's.
at::Tensor pairs_of(const StepPart& part) {
  return part.rows.slice(0, 0, std::nullopt, 2).div(2, "floor");
}

at::Tensor scores_of(
    const std::vector<DpoPair>& pairs,
    const std::vector<std::size_t>& chosen,
    std::size_t answer) {
  std::vector<at::Tensor> rows;
  for (const std::size_t pair : chosen)
    rows.push_back(at::tensor(pairs[pair].scores[answer], at::kDouble));
  return at::stack(rows);
}

}  // namespace

void check_dpo_memory(
    const ModelShape& model,
    const ConditioningOptions& conditioning,
    const std::vector<DpoPair>& pairs,
    const DpoOptions& options) {
  StepShape longest{{1}};
  for (const DpoPair& pair : pairs) {
    longest.prompt_tokens[0] =
        std::max(longest.prompt_tokens[0], std::ssize(pair.prompt.ids));
    for (const TokenIds& answer : pair.answers)
      longest.new_tokens = std::max(longest.new_tokens, std::ssize(answer));
  }
  (void)dpo_memory(model, conditioning, std::move(longest), options);
}

DpoTrainer::DpoTrainer(
    DpoInputs inputs, DpoOptions options, WeightingSampler weightings)
    : SupervisedTrainer(
          *inputs.policy->conditioning(),
          options,
          "dpo",
          {inputs.train->size(), options.pairs_per_step, inputs.shuffle}),
      inputs_(inputs),
      options_(std::move(options)),
      steerings_(
          std::move(weightings),
          options_.as_training(),
          inputs.policy->kl_range()),
      objectives_(inputs.policy->names().size()),
      train_references_(unknown(inputs.train->size())),
      held_out_references_(unknown(inputs.held_out->size())) {}

RunOptions DpoTrainer::run_options() const {
  RunOptions run = loop_options();
  run.memory_cure = kDpoMemoryCure;
  run.evaluate_every = options_.evaluation.every;
  run.objectives = inputs_.policy->names();
  using Format = ProgressFigure::Format;
  run.progress = {
      {"loss", "loss", Format::kNumber, 4},
      {"margins", "rewards/margins"},
      {"accuracies", "rewards/accuracies"},
      {"held_out", "held_out/loss", Format::kNumber, 4},
      {"grad_norm", "grad_norm"},
      {"epoch", "epoch"},
      {"tokens_per_second", "tokens_per_second"}};
  return run;
}

// ---- a batch ---------------------------------------------------------------

DpoTrainer::Batch DpoTrainer::make_batch(
    const std::vector<DpoPair>& pairs,
    const std::vector<std::size_t>& chosen,
    std::vector<Steering> steerings) const {
  const SteeredPolicy& policy = *inputs_.policy;
  Batch batch;
  Draw& draw = batch.draw;
  draw.step = finished_steps();
  draw.samples_per_prompt = 2;
  std::vector<double> alphas;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const DpoPair& pair = pairs[chosen[i]];
    const Steering& steering = steerings[i];
    draw.plain_prompts.push_back(pair.prompt.ids);
    draw.prompts.push_back(policy.conditioned_prompt(pair.prompt, steering));
    draw.coefficients.push_back(policy.coefficients_of(steering));
    alphas.push_back(steering.alpha);
    for (const TokenIds& answer : pair.answers) {
      Generation row;
      row.tokens = answer;
      row.finished = true;
      batch.rollout.rows.push_back(std::move(row));
    }
  }
  draw.steerings = std::move(steerings);
  batch.betas = preference_beta(kernels::double_tensor(alphas));
  batch.targets = preference_targets(
      scores_of(pairs, chosen, 0),
      scores_of(pairs, chosen, 1),
      draw.weights().slice(0, 0, std::nullopt, 2),
      options_);
  return batch;
}

StepPlan DpoTrainer::plan(const Batch& batch) const {
  const SteeredPolicy& policy = *inputs_.policy;
  StepShape shape;
  for (std::size_t p = 0; p < batch.draw.prompts.size(); ++p) {
    shape.prompt_tokens.push_back(std::max(
        std::ssize(batch.draw.prompts[p]),
        std::ssize(batch.draw.plain_prompts[p])));
  }
  for (const Generation& row : batch.rollout.rows)
    shape.new_tokens = std::max(shape.new_tokens, std::ssize(row.tokens));
  return {
      dpo_memory(
          shape_of(*policy.base().model),
          policy.conditioning()->options(),
          std::move(shape),
          options_),
      options_.gradient_accumulation,
      policy.conditioning()->mixes_rows()};
}

void DpoTrainer::score_references(
    Batch& batch,
    const std::vector<StepPart>& parts,
    const std::vector<std::size_t>& chosen,
    at::Tensor& known) {
  std::vector<std::int64_t> indices(chosen.begin(), chosen.end());
  const at::Tensor places = kernels::long_tensor(indices);
  batch.reference = known.index_select(0, places).view({-1});
  StepTimes times;
  for (const StepPart& part : parts) {
    if (!batch.reference.index_select(0, part.rows).isnan().any().item<bool>())
      continue;
    const ReferenceScores scores =
        score_reference(*inputs_.policy, part, KlEstimator::kSequence, times);
    batch.reference.index_copy_(
        0, part.rows, sum_packed(scores.log_probs.to(at::kCPU), part.lengths));
  }
  known.index_copy_(0, places, batch.reference.view({-1, 2}));
}

PairScores DpoTrainer::score(
    const StepPart& part, const Batch& batch, double& entropy) {
  StepTimes times;
  const PolicyScores policy =
      score_policy(*inputs_.policy, part, {}, KlEstimator::kSequence, times);
  entropy += policy.entropy.sum(at::kDouble).item<double>();
  const at::Tensor log_probs =
      sum_packed(policy.log_probs.to(at::kCPU), part.lengths);
  const at::Tensor log_ratios =
      log_probs - batch.reference.index_select(0, part.rows);
  return {
      log_probs.view({-1, 2}),
      log_ratios.view({-1, 2}),
      batch.betas.index_select(0, pairs_of(part))};
}

// ---- the gradient ----------------------------------------------------------

PreferenceFigures DpoTrainer::differentiate(
    const std::vector<std::size_t>& pairs,
    const std::vector<Steering>& steerings) {
  Batch batch = make_batch(*inputs_.train, pairs, steerings);
  const std::vector<StepPart> parts = split_step(
      batch.draw, batch.rollout, all_prompts(batch.draw), plan(batch));
  score_references(batch, parts, pairs, train_references_);
  const double kept = std::max(1.0, batch.targets.kept.sum().item<double>());
  PreferenceFigures figures;
  entropy_ = 0.0;
  tokens_ = batch.rollout.lengths().sum().item<std::int64_t>();
  conditioning().zero_gradient();
  conditioning().note_steerings(batch.draw.coefficients);
  for (const StepPart& part : parts) {
    const Coefficients& c = part.coefficients.front();
    conditioning().begin_gradient(c);
    const PairScores scores = score(part, batch, entropy_);
    const PreferenceTargets targets = batch.targets.select(pairs_of(part));
    figures.add(scores, targets);
    (dpo_loss(scores.margins(), targets) / kept).backward();
    conditioning().end_gradient(c);
    if (part.ends_slice) conditioning().end_slice();
  }
  return figures;
}

std::map<std::string, double> DpoTrainer::learn(
    const std::vector<std::size_t>& rows) {
  // Prompts of like lengths share most.
  std::vector<std::size_t> pairs = rows;
  std::ranges::stable_sort(pairs, {}, [this](std::size_t pair) {
    return (*inputs_.train)[pair].prompt.ids.size();
  });
  const PreferenceFigures figures =
      differentiate(pairs, steerings_.draw(finished_steps(), pairs.size()));
  std::map<std::string, double> metrics = figures.metrics();
  metrics["entropy"] = entropy_ / static_cast<double>(tokens_);
  metrics["tokens"] = static_cast<double>(tokens_);
  return metrics;
}

PreferenceFigures DpoTrainer::held_out() {
  const at::NoGradGuard no_gradient;
  const auto cover = simplex_cover(
      objectives_, static_cast<std::size_t>(options_.evaluation.weightings));
  const std::size_t count = std::min(
      inputs_.held_out->size(),
      static_cast<std::size_t>(options_.evaluation.pairs));
  PreferenceFigures figures;
  for (std::size_t begin = 0; begin < count; begin += kScoredAtOnce) {
    std::vector<std::size_t> pairs;
    std::vector<Steering> steerings;
    for (std::size_t i = begin; i < std::min(begin + kScoredAtOnce, count);
         ++i) {
      pairs.push_back(i);
      steerings.push_back({cover[i % cover.size()], options_.kl_strength});
    }
    Batch batch = make_batch(*inputs_.held_out, pairs, std::move(steerings));
    const std::vector<StepPart> parts = split_step(
        batch.draw, batch.rollout, all_prompts(batch.draw), plan(batch));
    score_references(batch, parts, pairs, held_out_references_);
    double entropy = 0.0;
    for (const StepPart& part : parts) {
      figures.add(
          score(part, batch, entropy), batch.targets.select(pairs_of(part)));
    }
  }
  return figures;
}

std::map<std::string, double> DpoTrainer::evaluate() {
  const PreferenceFigures figures = held_out();
  require_finite_loss(figures.loss());
  std::map<std::string, double> metrics;
  for (const auto& [name, value] : figures.metrics())
    metrics["held_out/" + name] = value;
  return metrics;
}

// ---- a run's view ----------------------------------------------------------

TrainerState DpoTrainer::state() const {
  TrainerState state = SupervisedTrainer::state();
  // Bits of the doubles: files hold float32 and int64.
  state.sampler[kReferences] = train_references_.view(at::kLong);
  return state;
}

void DpoTrainer::restore(const TrainerState& state) {
  SupervisedTrainer::restore(state);
  const auto found = state.sampler.find(kReferences);
  if (found == state.sampler.end() ||
      found->second.numel() != train_references_.numel()) {
    throw_caller_error(
        "the checkpoint is not of `moft dpo` on these pairs; resume with the "
        "recipe and the data that wrote it");
  }
  train_references_ = found->second.clone().view(at::kDouble);
}

}  // namespace moft
