// Gradients of single objectives and the angles between them.
#include "moft/training/gradient_cosines.h"

#include <unordered_map>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/correlation.h"
#include "moft/training/online_step.h"

namespace moft {
namespace {

using Gradients = std::vector<ScaledGradient>;

// A gradient that copies share is copied once.
Gradients copies_of(const Gradients& gradients) {
  Gradients copies;
  std::unordered_map<const void*, at::Tensor> done;
  for (const ScaledGradient& gradient : gradients) {
    at::Tensor& copy = done[gradient.tensor.unsafeGetTensorImpl()];
    if (gradient.tensor.defined() && !copy.defined())
      copy = gradient.tensor.detach().clone();
    copies.push_back({copy, gradient.coefficient});
  }
  return copies;
}

void put_back(const Gradients& saved, const Gradients& live) {
  const at::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    TORCH_CHECK(
        saved[i].tensor.defined() == live[i].tensor.defined() &&
            saved[i].coefficient == live[i].coefficient,
        "[report_gradient_cosines] an objective's gradient has other parts");
    if (saved[i].tensor.defined()) live[i].tensor.copy_(saved[i].tensor);
  }
}

// A_i of every row; 0 at those that are not kept.
at::Tensor advantages_of(
    const Experience& experience, std::int64_t objective, bool left_out) {
  const at::Tensor& kept = experience.advantages.kept;
  const at::Tensor rewards =
      experience.rewards.mapped.select(1, objective).index_select(0, kept);
  const at::Tensor groups =
      experience.draw.prompt_of_row().index_select(0, kept);
  const at::Tensor b = left_out ? leave_one_out_baseline(rewards, groups)
                                : batch_mean_baseline(rewards);
  const NormalisedAdvantages a = make_advantages(
      {rewards, b, groups, left_out}, AdvantageNormalisation::kNone);
  return at::zeros_like(experience.advantages.advantage)
      .index_copy(0, kept, a.advantages);
}

}  // namespace

void report_gradient_cosines(
    SteeredPolicy& policy,
    const Experience& experience,
    const std::vector<std::string>& names,
    const TrainingOptions& options,
    bool keep_gradient,
    StepTimes& times,
    std::map<std::string, double>& metrics) {
  if (names.size() < 2 || experience.advantages.kept.numel() == 0) return;
  const Conditioning& conditioning = *policy.conditioning();
  Gradients step;
  if (keep_gradient) step = copies_of(conditioning.gradients());
  TrainingOptions plain = options;
  plain.algorithm = Algorithm::kReinforce;
  plain.kl_estimator = KlEstimator::kNone;
  Experience single = experience;
  single.ratios.credit = at::Tensor();
  single.advantages.token_advantage = at::Tensor();
  std::vector<Gradients> gradients;
  for (std::size_t i = 0; i < names.size(); ++i) {
    single.advantages.advantage = advantages_of(
        experience, static_cast<std::int64_t>(i), options.compares_samples());
    differentiate(policy, single, whole_batch(single), plain, times);
    gradients.push_back(copies_of(conditioning.gradients()));
  }
  if (keep_gradient) put_back(step, conditioning.gradients());
  for (const ObjectivePair& pair : gradient_cosines(gradients)) {
    metrics["gradient_cosine/" + names[pair.first] + "," + names[pair.second]] =
        pair.value;
  }
}

}  // namespace moft
