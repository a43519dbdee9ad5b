// Advantages of a step's completions by the preferences among them.
#include "moft/training/preference_advantages.h"

#include "moft/algorithms/preferences.h"
#include "moft/algorithms/token_sums.h"

namespace moft {
namespace {

// [P, 2] of the pairs' rows.
at::Tensor both(const at::Tensor& rows, const RowPairs& pairs) {
  return at::stack(
      {rows.index_select(0, pairs.first), rows.index_select(0, pairs.second)},
      1);
}

}  // namespace

void add_preference_advantages(
    Experience& experience,
    const TrainingOptions& options,
    std::map<std::string, double>& metrics) {
  const Draw& draw = experience.draw;
  Advantages& advantages = experience.advantages;
  const RowPairs pairs = pairs_of_rows(draw.prompt_of_row(), advantages.kept);
  const at::Tensor alphas = draw.alphas();
  const at::Tensor penalty = missing_eos_penalty_at(options, draw.step) *
                             experience.rollout.truncated() / (1.0 - alphas);
  const at::Tensor scores = experience.rewards.mapped - penalty.unsqueeze(1);
  const PreferenceTargets targets = preference_targets(
      scores.index_select(0, pairs.first),
      scores.index_select(0, pairs.second),
      draw.weights().index_select(0, pairs.first),
      options.online_dpo);
  const at::Tensor log_probs =
      sum_packed(experience.ratios.log_probs, experience.rollout.lengths());
  const PairScores found{
      both(log_probs, pairs),
      both(experience.ratios.sequence, pairs),
      preference_beta(alphas).index_select(0, pairs.first)};
  PreferenceFigures figures;
  figures.add(found, targets);
  for (const auto& [name, value] : figures.metrics())
    metrics[name] = value;
  const auto rows = static_cast<std::int64_t>(draw.rows());
  advantages.advantage = row_advantages(pairs, found, targets, rows) *
                         static_cast<double>(advantages.kept.numel());
}

}  // namespace moft
