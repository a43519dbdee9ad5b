// Online training for all weightings at once: the stages of CLP's algorithm 1
// (online_step.h) over a run's examples, by REINFORCE, GRPO, PPO or
// online DPO (training.algorithm).
//
// With a value network, it predicts first and then learns from the rewards.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/data/shuffler.h"
#include "moft/generation/steered_policy.h"
#include "moft/rewards/objectives.h"
#include "moft/training/experience.h"
#include "moft/training/first_pass.h"
#include "moft/training/reward_combiner.h"
#include "moft/training/steering_sampler.h"
#include "moft/training/token_values.h"
#include "moft/training/trainer.h"
#include "moft/training/training_prompts.h"
#include "moft/training/value_learner.h"

namespace moft {

struct Minibatch;  // online_step.h

struct TrainerInputs {
  SteeredPolicy* policy = nullptr;           // with conditioning
  const ObjectiveSet* objectives = nullptr;  // the policy's, same order
  const std::vector<Example>* examples = nullptr;
  std::int64_t max_prompt_tokens = 512;
  bool shuffle = true;
  // What the value network starts from, a plain model that nobody else uses;
  // with baseline: value or algorithm: ppo only.
  std::shared_ptr<LanguageModel> value_model = nullptr;
};

class OnlineTrainer : public Trainer {
 public:
  // What `inputs` points to must outlive the trainer. CallerError for a prompt
  // that is too long, a template that does not fit the examples, a baseline
  // that needs more samples per prompt, a value network that does not fit the
  // policy, or a model that names no end token.
  OnlineTrainer(
      TrainerInputs inputs,
      TrainingOptions options,
      std::unique_ptr<SteeringSampler> sampler);
  // The same with IndependentSteerings.
  OnlineTrainer(
      TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler);

  StepResult step() override;
  void stop_when(std::function<bool()> requested) override {
    stop_requested_ = std::move(requested);
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
  const ValueLearner* value() const { return value_.get(); }

 private:
  StepResult take_step();
  Draw draw();
  StepPlan plan(const Draw& draw) const;
  // Bytes of the budget that the policy's step holds meanwhile.
  std::int64_t held_beside_values(
      const StepPlan& plan, const FirstPass* first) const;
  // What the value network said, and how it reads the step again.
  struct StepValues {
    TokenValues of_tokens;         // PPO's
    at::Tensor of_prompts;         // [P, m or 1], of the other baselines
    ItemSlices slices;             // of the prompts
    std::optional<StepPlan> plan;  // of the completions
  };
  StepValues predict(
      const Draw& draw,
      const Rollout& rollout,
      const Scores& rewards,
      std::int64_t held,
      StepTimes& times);
  // What the value network computes the step's prompts in.
  ItemSlices prompt_value_slices(const Draw& draw, std::int64_t held) const;
  at::Tensor predict_values(
      const Draw& draw,
      const Scores& rewards,
      const ItemSlices& slices,
      StepTimes& times);
  void learn_values(
      const Experience& experience,
      const at::Tensor& values,
      const ItemSlices& slices,
      StepResult& result);
  StepPlan token_value_plan(const Draw& draw, std::int64_t held) const;
  void learn_tokens(
      const Experience& experience,
      const std::vector<std::size_t>& prompts,
      const StepValues& values,
      double share,
      StepResult& result);
  // The step's updates of policy and network. `first` may be null.
  void learn(
      const Experience& experience,
      const StepValues& values,
      FirstPass* first,
      StepResult& result);
  // One of them: `share` of the step's, for means over them.
  void update(const Minibatch& batch, double share, StepResult& result);
  void update_values(double share, StepResult& result);
  void make_value_learner();

  TrainerInputs inputs_;
  TrainingOptions options_;
  std::unique_ptr<SteeringSampler> sampler_;
  TrainingPrompts prompts_;
  Shuffler shuffler_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<ValueLearner> value_;   // null: another baseline
  std::function<bool()> stop_requested_;  // or null
  RewardCombiner combiner_;
  std::int64_t step_ = 0;
};

}  // namespace moft
