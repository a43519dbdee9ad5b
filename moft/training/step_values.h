// The value network in an online step: what it says before the policy learns,
// and what it learns itself (docs/methods/value-network.md).
//
// Two kinds: values of prompts, for a baseline (baseline: value), and values of
// tokens, for PPO's advantages (token_values.h). In each step a trainer calls,
// in this order, least_bytes(), predict(), one of the two that make advantages,
// and learn() for every update.
//
// P prompts, m objectives.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"
#include "moft/training/experience.h"
#include "moft/training/online_step.h"
#include "moft/training/reward_combiner.h"
#include "moft/training/step_costs.h"
#include "moft/training/trainer.h"
#include "moft/training/training_options.h"
#include "moft/training/value_learner.h"

namespace moft {

class StepRanks;

struct ValueSetup {
  // What the network starts from, a plain model that nobody else uses.
  std::shared_ptr<LanguageModel> model;
  std::vector<std::string> objectives;  // names
  TrainingOptions options;
  StepRanks* ranks = nullptr;  // that share the step; none: alone
};

// What there is of a step when the network predicts.
struct ValueInputs {
  const Draw& draw;
  const Rollout& rollout;
  const Scores& rewards;  // read if reads_rewards() says so
  std::int64_t held = 0;  // bytes of the budget, by the policy's step
};

class StepValues {
 public:
  virtual ~StepValues() = default;

  const ValueLearner& learner() const { return learner_; }

  // Bytes that it takes at least between the rollout and the scoring.
  virtual std::int64_t least_bytes(const Draw& draw) const = 0;
  virtual bool reads_rewards() const = 0;
  virtual void predict(const ValueInputs& inputs, StepTimes& times) = 0;

  // For make_advantages(): [P, m or 1]; undefined where values are of tokens.
  virtual at::Tensor of_prompts() const { return {}; }
  // In the place of what make_advantages() made, where values are of tokens.
  virtual void make_token_advantages(
      Experience& /*experience*/, const RewardCombiner& /*combiner*/) {}

  // At an update of the policy, before it: `share` of the step's, for means
  // over them. Adds its metrics.
  virtual void learn(
      const Experience& experience,
      const Minibatch& minibatch,
      double share,
      StepResult& result) = 0;

  // Writes and reads what a checkpoint keeps of the network.
  void save(TrainerState& state) const;
  void restore(const TrainerState& state);

 protected:
  // `columns`: values at a place.
  StepValues(ValueSetup setup, std::int64_t columns, FirstValues first);

  const TrainingOptions& options() const { return options_; }
  const std::vector<std::string>& objectives() const { return objectives_; }
  ValueLearner& network() { return learner_; }
  const ModelShape& shape() const { return shape_; }
  // The prompts as it reads them.
  const std::vector<TokenIds>& prompts_of(const Draw& draw) const;
  StepRanks* ranks() const { return ranks_; }
  // One step of the network's optimizer.
  void update(double share, StepResult& result);

 private:
  std::vector<std::string> objectives_;
  TrainingOptions options_;
  ValueLearner learner_;
  ModelShape shape_;
  StepRanks* ranks_;
};

// Null without a value network. CallerError when its model is missing or does
// not fit the policy.
std::unique_ptr<StepValues> make_step_values(
    const SteeredPolicy& policy, const ValueSetup& setup);

}  // namespace moft
