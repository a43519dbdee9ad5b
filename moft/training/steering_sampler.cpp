// Steerings from random streams that the step and the prompt name.
#include "moft/training/steering_sampler.h"

#include "moft/core/errors.h"

namespace moft {

void SteeringSampler::restore(const NamedTensors& state) {
  if (state.empty()) return;
  throw_caller_error(
      "the checkpoint has the state of an adaptive sampler of weightings, but "
      "this run's sampler has none; resume with the recipe that wrote it");
}

IndependentSteerings::IndependentSteerings(
    WeightingSampler weightings,
    const TrainingOptions& options,
    const KlRange& kl_range)
    : weightings_(std::move(weightings)),
      kl_strength_(options.kl_strength),
      per_prompt_(options.weighting_per == WeightingPer::kPrompt),
      seed_(static_cast<std::uint64_t>(options.seed)) {
  if (options.kl_sampler != AlphaDistribution::kFixed)
    alphas_.emplace(options.kl_sampler, kl_range);
}

std::vector<Steering> IndependentSteerings::draw(
    std::int64_t step, std::size_t prompts) {
  std::vector<Steering> steerings;
  for (std::size_t p = 0; p < prompts; ++p)
    steerings.push_back(draw_one(step, per_prompt_ ? p : 0));
  return steerings;
}

std::size_t IndependentSteerings::most_distinct(std::size_t prompts) const {
  const std::size_t draws = per_prompt_ ? prompts : 1;
  return alphas_ ? draws : weightings_.most_distinct(draws);
}

Steering IndependentSteerings::draw_one(
    std::int64_t step, std::size_t row) const {
  const auto at_step = static_cast<std::uint32_t>(step);
  const auto at_row = static_cast<std::uint32_t>(row);
  RandomStream weights(seed_, Purpose::kWeighting, at_step, at_row);
  Steering steering{weightings_.draw(weights), kl_strength_};
  if (alphas_) {
    RandomStream strength(seed_, Purpose::kKlStrength, at_step, at_row);
    steering.alpha = alphas_->draw(strength);
  }
  return steering;
}

}  // namespace moft
