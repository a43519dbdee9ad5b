// A trainer that learns from given rows: draw some, take the gradient of their
// loss, update. What a row is and what its loss, is the subclass's.
//
// Over ranks, every rank draws the same step and takes its consecutive slices
// of it; gradients and figures are added in the order of the slices, so that N
// ranks have the bits of one process with the same slices (ranks.h).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/gradient_sum.h"
#include "moft/data/shuffler.h"
#include "moft/distributed/bytes.h"
#include "moft/distributed/group.h"
#include "moft/training/step_memory.h"
#include "moft/training/trainer.h"

namespace moft {

class StepRanks;

// What a step learns from.
struct SupervisedRows {
  std::size_t count = 0;
  std::int64_t per_step = 1;
  bool shuffle = true;
};

class SupervisedTrainer : public Trainer {
 public:
  ~SupervisedTrainer() override;

  // Metrics: those of learn(), grad_norm, learning_rate, epoch,
  // tokens_per_second, step_time; "ranks/.." of several ranks.
  StepResult step() override;
  std::int64_t finished_steps() const override { return step_; }
  TrainerState state() const override;
  void restore(const TrainerState& state) override;

 protected:
  // `conditioning`, with what is trained, outlives the trainer.
  // `section` is the recipe's ("sft"). `group`: the processes that take the
  // steps together; none, or one: alone. REQUIRES that gradient_accumulation is
  // what slices_of_ranks() gives.
  SupervisedTrainer(
      Conditioning& conditioning,
      const UpdateOptions& options,
      std::string section,
      SupervisedRows rows,
      Group* group = nullptr);

  // Leaves the gradient of the mean loss of these rows with the conditioning;
  // "loss" and "tokens" at least. The indices come in the order drawn.
  virtual std::map<std::string, double> learn(
      const std::vector<std::size_t>& rows) = 0;

  Conditioning& conditioning() const { return conditioning_; }
  // The run is evaluated at its end and logs no samples.
  RunOptions loop_options() const;
  // Takes the gradient of `count` rows, sorted as they will be computed: in
  // gradient_accumulation slices, each in as many parts as the memory asks for.
  // differentiate() is called for each part of this process and runs backward.
  void differentiate_parts(
      std::size_t count,
      const StepMemory& memory,
      const Coefficients& coefficients,
      const std::function<void(const ItemRange& rows)>& differentiate);
  // The same in pieces: the passes of each of slices_here(), each slice ended
  // by end_slice(), between these two.
  void begin_step(const std::vector<Coefficients>& steerings);
  void end_slice();
  void finish_step(const std::vector<Coefficients>& steerings);
  // This process's slices; none: all of them.
  std::optional<ItemRange> slices_here() const;

  // Rows that are read without gradient, `at_once` together: the groups that
  // are this process's.
  std::vector<ItemRange> groups_here(
      std::size_t rows, std::size_t at_once) const;
  // What every process has of parts or groups, in their order.
  template <class T>
  std::vector<T> of_all(const std::vector<T>& own) const {
    BytesWriter writer;
    writer.list(own);
    std::vector<T> all;
    for (const std::string& bytes : bytes_of_all(writer.bytes())) {
      const auto more = BytesReader(bytes).list<std::vector<T>>();
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
  std::vector<std::string> bytes_of_all(std::string_view own) const;
  // WorldError for a loss that is not finite.
  void require_finite_loss(double loss) const;

 private:
  Conditioning& conditioning_;
  UpdateOptions options_;
  std::string section_;
  SupervisedRows rows_;
  Shuffler shuffler_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<StepRanks> ranks_;   // null: alone
  std::vector<GradientSlice> slices_;  // of this rank, in an open step
  std::int64_t step_ = 0;
};

}  // namespace moft
