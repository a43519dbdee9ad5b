// Optimizers and schedules from their options.
#include "moft/training/make_optimizer.h"

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/adamw.h"

namespace moft {
namespace {

AdamWOptions adamw_of(const OptimizerOptions& options) {
  AdamWOptions adamw;
  adamw.beta1 = options.betas[0];
  adamw.beta2 = options.betas[1];
  adamw.epsilon = options.epsilon;
  adamw.weight_decay = options.weight_decay;
  adamw.dense = options.zero_coefficient == ZeroCoefficient::kDense;
  return adamw;
}

AdafactorOptions adafactor_of(const OptimizerOptions& options) {
  AdafactorOptions adafactor = options.adafactor;
  adafactor.dense = options.zero_coefficient == ZeroCoefficient::kDense;
  return adafactor;
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(
    std::vector<TrainedTensor> parameters,
    const OptimizerOptions& options,
    const Ranks& ranks) {
  if (options.kind == OptimizerKind::kAdafactor) {
    return std::make_unique<Adafactor>(
        std::move(parameters), adafactor_of(options), ranks);
  }
  return std::make_unique<AdamW>(
      std::move(parameters), adamw_of(options), ranks);
}

Ranks optimizer_ranks(Group* group) {
  if (group == nullptr) return {};
  return {group->rank(), group->size(), [group](std::string_view bytes) {
            return group->gather(bytes);
          }};
}

LearningRateSchedule make_schedule(
    double learning_rate, const ScheduleOptions& options, std::int64_t steps) {
  LearningRateSchedule schedule;
  schedule.shape = options.kind;
  schedule.learning_rate = learning_rate;
  schedule.warmup_steps = options.warmup_steps;
  schedule.total_steps = steps;
  schedule.final_fraction = options.final_fraction;
  return schedule;
}

}  // namespace moft
