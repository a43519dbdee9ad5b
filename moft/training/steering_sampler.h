// Which weighting and KL strength each prompt of a step is trained under: the
// distribution Q of CLP's algorithm 1.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/training/experience.h"
#include "moft/training/trainer.h"
#include "moft/weightings/sampling.h"

namespace moft {

class SteeringSampler {
 public:
  virtual ~SteeringSampler() = default;

  // One steering per prompt of step `step`, which counts from 0. The same again
  // for a step that was not finished.
  virtual std::vector<Steering> draw(
      std::int64_t step, std::size_t prompts) = 0;
  // The most distinct steerings that a step of `prompts` prompts can draw.
  virtual std::size_t most_distinct(std::size_t prompts) const {
    return prompts;
  }
  // What a finished step found, for samplers that adapt.
  virtual void observe(const Experience&) {}
  // What the next draws depend on beside the step; checkpoints keep it.
  virtual NamedTensors state() const { return {}; }
  // CallerError for a state of another sampler.
  virtual void restore(const NamedTensors& state);
};

// Weightings and KL strengths drawn independently, from streams of their own:
// either is the same whether the other is drawn or fixed. Without state.
class IndependentSteerings : public SteeringSampler {
 public:
  // kl_range: the policy's.
  IndependentSteerings(
      WeightingSampler weightings,
      const TrainingOptions& options,
      const KlRange& kl_range);

  std::vector<Steering> draw(std::int64_t step, std::size_t prompts) override;
  std::size_t most_distinct(std::size_t prompts) const override;

 private:
  Steering draw_one(std::int64_t step, std::size_t row) const;

  WeightingSampler weightings_;
  std::optional<AlphaSampler> alphas_;  // none: always kl_strength
  double kl_strength_;
  bool per_prompt_;
  std::uint64_t seed_;
};

}  // namespace moft
