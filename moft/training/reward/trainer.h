// One step of training a classifier or reward model.
//
//   draw rows -> logits of their texts -> loss (algorithms/reward_losses.h),
//   the mean over the rows -> clip -> optimizer
//
// Texts are never padded: a step reads all of its texts one after the other,
// from short to long, so that those of one length share their attention. Parts
// of a step (gradient_accumulation, memory_budget) divide by the step's number
// of rows, so that their gradients add up to that of one part. There is no
// dropout.
//
// With reward.early_stopping the trainer keeps the parameters of the lowest
// held-out loss, stops when it has not become lower for long enough, and
// publishes those.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "moft/algorithms/reward_losses.h"
#include "moft/models/classifier.h"
#include "moft/training/reward/rows.h"
#include "moft/training/supervised_trainer.h"

namespace moft {

// The name of the only objective.
inline constexpr const char* kRewardObjective = "reward";

// What of a classifier is trained: all of it, or adapters and the head.
// CallerError when lora chooses nothing of it.
std::unique_ptr<Conditioning> condition_classifier(
    Classifier& model, const RewardTrainingOptions& options);

// How a step of texts with these numbers of tokens is divided. CallerError when
// reward.memory_budget does not suffice for one of them.
StepMemory reward_memory(
    const ModelShape& model,
    std::vector<std::int64_t> tokens,
    const RewardTrainingOptions& options);

// What the model says of rows, without gradient.
struct RewardFigures {
  double loss = 0.0;                  // mean over the rows
  std::vector<Judgement> judgements;  // of each row; none of a regression
  // held_out/loss, held_out/accuracy and held_out/calibration_error.
  std::map<std::string, double> metrics() const;
};

struct RewardInputs {
  Classifier* model = nullptr;
  Conditioning* conditioning = nullptr;  // condition_classifier() of it
  const std::vector<RewardRow>* train = nullptr;
  const std::vector<RewardRow>* held_out = nullptr;
  bool shuffle = true;
  Group* group = nullptr;  // that takes the steps together; none: alone
};

class RewardTrainer : public SupervisedTrainer {
 public:
  // What `inputs` points to must outlive the trainer.
  RewardTrainer(RewardInputs inputs, RewardTrainingOptions options);

  // Loss and gradient of these rows as a step computes them; the gradient stays
  // with the conditioning.
  double differentiate(std::vector<const RewardRow*> rows);
  // Over the held-out rows that the options ask for.
  RewardFigures held_out() const;
  // The same as metrics, for a run, and what early stopping learns from it.
  // WorldError unless the loss is finite.
  std::map<std::string, double> evaluate();

  RunOptions run_options() const override;
  bool stopped_early() const override;
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

  // The parameters to publish, by their names in network(): with early stopping
  // those of the lowest held-out loss, which the model has from now on.
  std::map<std::string, at::Tensor> product();

 private:
  std::map<std::string, double> learn(
      const std::vector<std::size_t>& rows) override;
  // Outputs of rows: logits [rows, L], or scores [rows, 2] of a preference.
  at::Tensor outputs(std::span<const RewardRow* const> rows) const;
  // Sum over the rows.
  at::Tensor loss(
      const at::Tensor& outputs, std::span<const RewardRow* const> rows) const;
  void judge(
      const at::Tensor& outputs,
      std::span<const RewardRow* const> rows,
      std::vector<Judgement>& judgements) const;
  void keep_best(double loss);
  void restore_best();

  RewardInputs inputs_;
  RewardTrainingOptions options_;
  Coefficients coefficients_;
  NamedTensors best_;
  double lowest_ = std::numeric_limits<double>::infinity();
  std::int64_t worse_ = 0;         // evaluations since the lowest
  std::vector<Judgement> judged_;  // of the step's rows
};

}  // namespace moft
