// Counting what a rank computes, updates and sends.
#include "moft/training/step_work.h"

namespace moft {
namespace {

constexpr std::int64_t kFloat = 4;

// What an update takes after the norm, for each trained number: the gradient,
// then master and moments, read and written.
std::int64_t bytes_of_update(const OptimizerOptions& optimizer) {
  const std::int64_t moments = optimizer.kind == OptimizerKind::kAdamW ? 2 : 1;
  return kFloat + (1 + moments) * 2 * kFloat;
}

}  // namespace

std::int64_t bytes_of_sum(
    std::int64_t numbers, std::int64_t parts, std::int64_t ranks) {
  return numbers * kFloat * (parts + 1) * (ranks - 1) / ranks;
}

StepWork work_of_rank(const MemoryQuestion& question, MeanLengths lengths) {
  const TrainingOptions& training = question.training;
  const TrainedParameters counts = trained_parameters(question);
  const std::int64_t parts = parts_of_rank(question);
  const std::int64_t ranks = question.ranks;
  const bool sharded = question.sharding.optimizer;
  StepWork work;
  work.prompts = prompts_of_rank(question);
  work.rows = work.prompts * training.samples_per_prompt;
  work.prompt_tokens = static_cast<double>(work.prompts) * lengths.prompt;
  work.new_tokens = static_cast<double>(work.rows) * lengths.answer;
  const UpdateRule rule = training.rule();
  work.passes = rule.passes;
  const std::int64_t updates = rule.passes * rule.updates;
  const std::int64_t update =
      counts.trained * bytes_of_update(training.optimizer);
  work.optimizer_bytes =
      updates * (counts.trained * kFloat + update / (sharded ? ranks : 1));
  work.sent_bytes = updates * bytes_of_sum(counts.summed, parts, ranks);
  // Masters, as sums that are finished; of copies that ranks share the mixture.
  if (sharded) {
    const std::int64_t updated = question.sharding.copies
                                     ? counts.steered + counts.common
                                     : counts.trained;
    work.sent_bytes += updates * bytes_of_sum(updated, 0, ranks);
  }
  if (!training.has_value_network()) return work;
  const std::int64_t network =
      question.value_network.value_or(question.shape).parameters;
  const std::int64_t value_updates = rule.values_tokens ? updates : 1;
  work.sent_bytes += value_updates * bytes_of_sum(network, parts, ranks);
  if (sharded)
    work.sent_bytes += value_updates * bytes_of_sum(network, 0, ranks);
  return work;
}

PassSeconds pass_through(
    MeasuredPart brief, MeasuredPart whole, double prompt_tokens) {
  PassSeconds pass;
  const double more = whole.fresh - brief.fresh;
  const double slope =
      more > 0.0 ? (whole.seconds - brief.seconds) / more : 0.0;
  const double rest = whole.seconds - slope * whole.fresh;
  if (slope <= 0.0 || rest < 0.0) {
    pass.fresh = whole.fresh > 0.0 ? whole.seconds / whole.fresh : 0.0;
    return pass;
  }
  pass.fresh = slope;
  pass.prompt = rest / prompt_tokens;
  return pass;
}

StepTimes predict_step(const StepWork& work, const StepRates& rates) {
  StepTimes step;
  step.rollout = rates.rollout.of(work);
  step.reference = rates.reference.of(work);
  step.policy = rates.policy.of(work);
  step.value = rates.value.of(work);
  step.rewards = rates.reward * static_cast<double>(work.rows);
  step.optimizer = rates.optimizer * static_cast<double>(work.optimizer_bytes);
  step.ranks = rates.sending * static_cast<double>(work.sent_bytes);
  return step;
}

}  // namespace moft
