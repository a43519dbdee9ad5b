// The gradient of an ENUM-1 policy's value, by differentiating the sum.
#include "tests/trained/enum_gradient.h"

#include "moft/algorithms/token_sums.h"
#include "moft/kernels/token_log_probs.h"

namespace moft::exact {
namespace {

at::Tensor doubles(const Vector& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor differentiable_value(
    EnumPolicy& policy, const Steering& steering, const Coefficients& c) {
  ScoreBatch batch;
  Vector gains, references;
  std::vector<std::int64_t> targets, lengths;
  for (std::size_t p = 0; p < policy.prompts().size(); ++p) {
    batch.prompts.push_back(
        policy.policy().conditioned_prompt(policy.prompts()[p], steering));
    const Vector gain =
        weighted_sum(steering.w.values(), policy.problem(p).rewards);
    for (std::size_t y = 0; y < policy.completions().size(); ++y) {
      const TokenIds& completion = policy.completions()[y];
      batch.completions.push_back(completion);
      batch.prompt_of_row.push_back(static_cast<std::int64_t>(p));
      targets.insert(targets.end(), completion.begin(), completion.end());
      lengths.push_back(static_cast<std::int64_t>(completion.size()));
      gains.push_back((1.0 - steering.alpha) * gain[y]);
      references.push_back(policy.problem(p).reference[y]);
    }
  }
  const at::Tensor logits =
      policy.policy().model().completion_logits(batch, RowSteering::uniform(c));
  const at::Tensor log_pi = sum_packed(
      kernels::selected_log_probs(logits, at::tensor(targets, at::kLong)),
      at::tensor(lengths, at::kLong));
  const at::Tensor terms =
      log_pi.exp() *
      (doubles(gains) - steering.alpha * (log_pi - doubles(references)));
  return terms.sum() / static_cast<double>(policy.prompts().size());
}

}  // namespace

Gradients value_gradient(
    EnumPolicy& policy, const std::vector<WeightedSteering>& steerings) {
  Conditioning& conditioning = *policy.policy().conditioning();
  conditioning.zero_gradient();
  std::vector<Coefficients> all;
  for (const WeightedSteering& entry : steerings)
    all.push_back(policy.policy().coefficients_of(entry.steering));
  conditioning.note_steerings(all);
  for (std::size_t k = 0; k < steerings.size(); ++k) {
    conditioning.begin_gradient(all[k]);
    const auto& [steering, share] = steerings[k];
    (differentiable_value(policy, steering, all[k]) * share).backward();
    conditioning.end_gradient(all[k]);
  }
  return current_gradients(conditioning);
}

Gradients current_gradients(const Conditioning& conditioning) {
  Gradients gradients;
  const std::vector<ScaledGradient> all = conditioning.gradients();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].tensor.defined()) continue;
    gradients[conditioning.trained()[i].name] =
        all[i].tensor.detach().to(at::kDouble) * all[i].coefficient;
  }
  return gradients;
}

double regret_of(const EnumPolicy& policy, const Steering& steering) {
  const std::size_t prompts = policy.prompts().size();
  double sum = 0.0;
  for (std::size_t p = 0; p < prompts; ++p) {
    sum += loss_to_optimum(
        policy.problem(p),
        policy.log_probs(p, steering),
        steering.w.values(),
        steering.alpha);
  }
  return sum / static_cast<double>(prompts);
}

}  // namespace moft::exact
