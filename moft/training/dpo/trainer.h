// One step of preference optimisation from given pairs, for all weightings.
//
//   draw pairs, (alpha, w) ~ Q for each -> which answer is preferred under w
//   -> log pi and log ref of both answers -> loss (algorithms/preferences.h),
//   the mean over the pairs -> clip -> optimizer
//
// A pair's two answers are always computed together, in one pass with gradient;
// parts of a step divide by the step's number of pairs, so that their gradients
// add up. The reference's log-probabilities of a pair are computed once, when
// it is first drawn, and checkpoints keep them. Dropout is off.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "moft/algorithms/preferences.h"
#include "moft/generation/steered_policy.h"
#include "moft/training/dpo/pairs.h"
#include "moft/training/experience.h"
#include "moft/training/score_part.h"
#include "moft/training/steering_sampler.h"
#include "moft/training/step_parts.h"
#include "moft/training/supervised_trainer.h"

namespace moft {

// CallerError when dpo.memory_budget does not suffice for the two longest
// answers after the longest prompt of `pairs`.
void check_dpo_memory(
    const ModelShape& model,
    const ConditioningOptions& conditioning,
    const std::vector<DpoPair>& pairs,
    const DpoOptions& options);

struct DpoInputs {
  SteeredPolicy* policy = nullptr;  // with conditioning
  const std::vector<DpoPair>* train = nullptr;
  const std::vector<DpoPair>* held_out = nullptr;
  bool shuffle = true;
  Group* group = nullptr;  // that takes the steps together; none: alone
};

class DpoTrainer : public SupervisedTrainer {
 public:
  // What `inputs` points to must outlive the trainer.
  DpoTrainer(DpoInputs inputs, DpoOptions options, WeightingSampler weightings);

  // Loss and gradient of training pairs (indices) under one steering each, as a
  // step computes them; the gradient stays with the policy's conditioning.
  PreferenceFigures differentiate(
      const std::vector<std::size_t>& pairs,
      const std::vector<Steering>& steerings);
  // Over the held-out pairs that the options ask for, at dpo.kl_strength.
  PreferenceFigures held_out();
  // The same as metrics, for a run: held_out/loss, .. WorldError unless the
  // loss is finite.
  std::map<std::string, double> evaluate();

  RunOptions run_options() const override;
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

 private:
  // Pairs as an online step has its rows: two of each prompt.
  struct Batch {
    Draw draw;
    Rollout rollout;
    PreferenceTargets targets;
    at::Tensor betas;      // [P]
    at::Tensor reference;  // [2P], log ref
  };

  std::map<std::string, double> learn(
      const std::vector<std::size_t>& rows) override;
  Batch make_batch(
      const std::vector<DpoPair>& pairs,
      const std::vector<std::size_t>& chosen,
      std::vector<Steering> steerings) const;
  StepPlan plan(const Batch& batch) const;
  // Fills batch.reference from `known` [pairs, 2], NaN where not computed yet,
  // and completes that.
  void score_references(
      Batch& batch,
      const std::vector<StepPart>& parts,
      const std::vector<std::size_t>& chosen,
      at::Tensor& known);
  struct PartScores {
    PairScores scores;
    PreferenceTargets targets;
    double entropy = 0.0;  // of the tokens, summed
  };

  // Gives batch.reference and train_references_ what other ranks computed.
  void share_references(Batch& batch, const std::vector<std::size_t>& chosen);
  // With gradient when gradient mode is on.
  PartScores score(const StepPart& part, const Batch& batch);
  // Figures of these parts and of the other ranks; adds the entropies.
  PreferenceFigures figures_of(
      const std::vector<PartScores>& own, double& entropy) const;

  DpoInputs inputs_;
  DpoOptions options_;
  IndependentSteerings steerings_;
  std::size_t objectives_;
  at::Tensor train_references_;     // [pairs, 2], double
  at::Tensor held_out_references_;  // [pairs, 2]
  double entropy_ = 0.0;            // of the last step's tokens, summed
  std::int64_t tokens_ = 0;         // of the last step
};

}  // namespace moft
