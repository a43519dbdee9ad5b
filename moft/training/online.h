// One step of REINFORCE for all weightings at once (CLP, algorithm 1).
//
//   draw steerings and prompts         one steering per batch (the paper) or
//                                      one per prompt
//   roll out                           y ~ pi(.|x; w), exact sampling at the
//                                      policy's temperature, no truncation
//   rewards per objective              R_i(x, y), mapped, never clipped
//   r = (1-alpha) w.R - alpha (log pi(y|x) - log ref(y|x))
//   baseline, advantage, normalise     with a value network: it predicts
//                                      first, then learns from the rewards
//   loss = -mean(A log pi(y|x))        gradient through log pi alone
//   clip, AdamW or Adafactor
//
// Other ways to bring the KL in (kl_estimator) are in algorithms/kl_gradient.h.
//
// log pi and log ref come from two identical scoring passes, so their ratio is
// exactly 0 while the policy equals its reference; the rollout's own
// log-probabilities serve the `rollout_gap` metric only.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/data/encode_prompt.h"
#include "moft/data/shuffler.h"
#include "moft/generation/steered_policy.h"
#include "moft/rewards/objectives.h"
#include "moft/training/step_batch.h"
#include "moft/training/trainer.h"
#include "moft/training/value_learner.h"
#include "moft/weightings/sampling.h"

namespace moft {

struct TrainerInputs {
  SteeredPolicy* policy = nullptr;           // with conditioning
  const ObjectiveSet* objectives = nullptr;  // the policy's, same order
  const std::vector<Example>* examples = nullptr;
  std::int64_t max_prompt_tokens = 512;
  bool shuffle = true;
  // What the value network starts from, a plain model that nobody else uses;
  // with baseline: value only.
  std::shared_ptr<LanguageModel> value_model = nullptr;
};

class OnlineTrainer : public Trainer {
 public:
  // What `inputs` points to must outlive the trainer. CallerError for a prompt
  // that is too long, a template that does not fit the examples, a baseline
  // that needs more samples per prompt, a value network that does not fit the
  // policy, or a model that names no end token.
  OnlineTrainer(
      TrainerInputs inputs, TrainingOptions options, WeightingSampler sampler);

  StepResult step() override;
  std::int64_t finished_steps() const override { return step_; }
  RunOptions run_options() const override;
  const TrainingOptions& options() const { return options_; }
  // Token ids of every example's prompt.
  const std::vector<TokenIds>& prompts() const { return prompts_; }
  // The prompt of an example with its text.
  Prompt prompt(std::size_t example) const;
  // Null without a value network.
  const ValueLearner* value() const { return value_.get(); }
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

 private:
  StepBatch draw();
  Steering draw_steering(std::size_t prompt) const;
  void begin_update(StepBatch& batch);
  void roll_out(StepBatch& batch, StepTimes& times);
  void score_rewards(StepBatch& batch, StepTimes& times) const;
  void update(StepBatch& batch, StepResult& result);
  void predict_values(StepBatch& batch, StepTimes& times);
  void learn_values(const StepBatch& batch, StepResult& result);
  void score_part(
      const StepPart& part,
      StepBatch& batch,
      PartScores& scores,
      StepTimes& times) const;
  void score_reference(const StepPart& part, PartScores& scores) const;
  void score_policy(
      const StepPart& part,
      StepBatch& batch,
      PartScores& scores,
      bool last_use) const;
  void set_log_ratios(
      const StepPart& part, const PartScores& scores, StepBatch& batch) const;
  void set_advantages(StepBatch& batch) const;
  void backward(
      const StepPart& part, const PartScores& scores, const StepBatch& batch);
  void optimize(StepResult& result);
  void make_value_learner();
  void report(const StepBatch& batch, StepResult& result) const;

  TrainerInputs inputs_;
  TrainingOptions options_;
  WeightingSampler sampler_;
  std::optional<AlphaSampler> alpha_sampler_;  // none: kl_strength
  Shuffler shuffler_;
  PromptTemplate template_;
  std::vector<TokenIds> prompts_;  // of every example
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<ValueLearner> value_;  // null: another baseline
  std::int64_t step_ = 0;
};

}  // namespace moft
