// Differences of the next token's logits between steerings.
#include "moft/generation/knob_effects.h"

#include <algorithm>
#include <vector>

namespace moft {
namespace {

// Between the first steering and the others, as a part of the first's largest
// logit.
double largest_difference(
    Policy& policy,
    const Prompt& prompt,
    const std::vector<Steering>& steerings) {
  const at::Tensor first = policy.next_logits(prompt, steerings.at(0));
  double difference = 0.0;
  for (std::size_t i = 1; i < steerings.size(); ++i) {
    const at::Tensor other = policy.next_logits(prompt, steerings[i]);
    difference =
        std::max(difference, (other - first).abs().max().item<double>());
  }
  return difference / std::max(1e-30, first.abs().max().item<double>());
}

}  // namespace

KnobEffects knob_effects(Policy& policy, const Prompt& prompt) {
  const std::size_t objectives = policy.objectives().size();
  KnobEffects effects;
  if (objectives > 1) {
    std::vector<Steering> corners;
    for (std::size_t i = 0; i < objectives; ++i) {
      corners.push_back(
          {Weighting::corner(objectives, i), policy.default_alpha()});
    }
    effects.weighting = largest_difference(policy, prompt, corners);
  }
  const KlRange& range = policy.kl_range();
  // alpha_min 0 under softmdp: 0 is the only alpha there is.
  const bool fixed = range.alpha_min() == 0 && range.f_mix() == FMix::kSoftmdp;
  if (policy.info().alpha_acts && !fixed) {
    const auto w = Weighting::uniform(objectives);
    effects.alpha =
        largest_difference(policy, prompt, {{w, range.alpha_min()}, {w, 1.0}});
  }
  return effects;
}

}  // namespace moft
