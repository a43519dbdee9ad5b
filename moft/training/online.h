// Online training for all weightings at once: the stages of CLP's algorithm 1
// (online_step.h) over a run's examples, by REINFORCE, GRPO, PPO or online DPO
// (training.algorithm, algorithms/algorithm.h). With a value network, that
// predicts first and then learns from the rewards (step_values.h).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/data/shuffler.h"
#include "moft/distributed/group.h"
#include "moft/generation/steered_policy.h"
#include "moft/rewards/objectives.h"
#include "moft/training/experience.h"
#include "moft/training/first_pass.h"
#include "moft/training/ranks.h"
#include "moft/training/reward_combiner.h"
#include "moft/training/steering_sampler.h"
#include "moft/training/step_values.h"
#include "moft/training/trainer.h"
#include "moft/training/training_prompts.h"

namespace moft {

struct TrainerInputs {
  SteeredPolicy* policy = nullptr;           // with conditioning
  const ObjectiveSet* objectives = nullptr;  // the policy's, same order
  const std::vector<Example>* examples = nullptr;
  std::int64_t max_prompt_tokens = 512;
  bool shuffle = true;
  // What the value network starts from, a plain model that nobody else uses;
  // with baseline: value or algorithm: ppo only.
  std::shared_ptr<LanguageModel> value_model = nullptr;
  // The processes that take the steps together (ranks.h); none, or one: alone.
  Group* group = nullptr;
};

class OnlineTrainer : public Trainer {
 public:
  // What `inputs` points to must outlive the trainer. CallerError for a prompt
  // that is too long, a template that does not fit the examples, a baseline
  // that needs more samples per prompt, a value network that does not fit the
  // policy, or a model that names no end token. REQUIRES that
  // gradient_accumulation is what slices_of_ranks() gives, and that ranks which
  // share the policy's copies are the group's.
  OnlineTrainer(
      TrainerInputs inputs,
      TrainingOptions options,
      std::unique_ptr<SteeringSampler> sampler);
  // The same with IndependentSteerings.
  OnlineTrainer(
      TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler);

  StepResult step() override;
  void stop_when(std::function<bool()> requested) override {
    // A rank alone may not leave a step.
    if (!ranks_) stop_requested_ = std::move(requested);
  }
  std::int64_t finished_steps() const override { return step_; }
  RunOptions run_options() const override;
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

  const TrainingOptions& options() const { return options_; }
  const TrainingPrompts& prompts() const { return prompts_; }
  // The most distinct steerings that a step's rollout can hold.
  std::int64_t steerings_per_step() const;
  // Null without a value network.
  const ValueLearner* value() const;

 private:
  StepResult take_step();
  Draw draw();
  // Where ranks share the policy's copies: the step's mixture of them.
  void gather_copies(const Draw& draw, StepTimes& times);
  StepPlan plan(const Draw& draw) const;
  RolloutOptions rollout_options(const StepPlan& plan) const;
  // Line 5, by this rank for its part of the prompts, by all for the step.
  // `rewards` are of the part, or of the step (by_first_).
  void roll_out_step(
      Experience& experience,
      const Draw& part,
      const StepPlan& plan,
      FirstPass* first,
      StepRewards& rewards,
      StepTimes& times);
  Scores rewards_of(
      const Experience& experience, StepRewards& rewards, StepTimes& times);
  LogRatios ratios_of(
      const Experience& experience, FirstPass* first, StepTimes& times);
  // Line 6, from the other data of `experience`.
  void make_advantages_of(
      Experience& experience, std::map<std::string, double>& metrics);
  // Line 7: the step's updates of policy and value network. `first` may be
  // null.
  void learn(
      const Experience& experience, FirstPass* first, StepResult& result);
  // The gradient of one of them, to the policy's conditioning.
  ClipFigures take_gradient(
      const Experience& experience,
      const Minibatch& batch,
      FirstPass* first,
      StepTimes& times);
  // One of them: `share` of the step's, for means over them.
  void update(const Minibatch& batch, double share, StepResult& result);

  TrainerInputs inputs_;
  TrainingOptions options_;
  std::unique_ptr<SteeringSampler> sampler_;
  TrainingPrompts prompts_;
  Shuffler shuffler_;
  std::unique_ptr<Optimizer> optimizer_;
  std::function<bool()> stop_requested_;  // or null
  RewardCombiner combiner_;
  std::unique_ptr<StepRanks> ranks_;    // null: alone
  bool by_first_ = false;               // rank 0 asks for rewards from outside
  std::unique_ptr<StepValues> values_;  // null: no value network
  std::int64_t step_ = 0;
};

}  // namespace moft
