// A trainer that learns from given rows: draw some, take the gradient of their
// loss, update. What a row is and what its loss, is the subclass's.
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
#include "moft/conditioning/conditioning.h"
#include "moft/data/shuffler.h"
#include "moft/training/step_memory.h"
#include "moft/training/trainer.h"

namespace moft {

// What a step learns from.
struct SupervisedRows {
  std::size_t count = 0;
  std::int64_t per_step = 1;
  bool shuffle = true;
};

class SupervisedTrainer : public Trainer {
 public:
  // Metrics: those of learn(), grad_norm, learning_rate, epoch,
  // tokens_per_second, step_time.
  StepResult step() override;
  std::int64_t finished_steps() const override { return step_; }
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

 protected:
  // `conditioning`, with what is trained, outlives the trainer.
  // `section` is the recipe's ("sft").
  SupervisedTrainer(
      Conditioning& conditioning,
      const UpdateOptions& options,
      std::string section,
      SupervisedRows rows);

  // Leaves the gradient of the mean loss of these rows with the conditioning;
  // "loss" and "tokens" at least. The indices come in the order drawn.
  virtual std::map<std::string, double> learn(
      const std::vector<std::size_t>& rows) = 0;

  Conditioning& conditioning() const { return conditioning_; }
  // The run is evaluated at its end and logs no samples.
  RunOptions loop_options() const;
  // Takes the gradient of `count` rows, sorted as they will be computed: in
  // gradient_accumulation slices, each in as many parts as the memory asks for.
  // differentiate() is called for each part and runs backward.
  void differentiate_parts(
      std::size_t count,
      const StepMemory& memory,
      const Coefficients& coefficients,
      const std::function<void(const ItemRange& rows)>& differentiate) const;
  // WorldError for a loss that is not finite.
  void require_finite_loss(double loss) const;

 private:
  Conditioning& conditioning_;
  UpdateOptions options_;
  std::string section_;
  SupervisedRows rows_;
  Shuffler shuffler_;
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t step_ = 0;
};

}  // namespace moft
