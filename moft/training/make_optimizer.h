// The optimizer and the learning rate that a recipe asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/algorithms/schedule.h"
#include "moft/training/training_options.h"

namespace moft {

std::unique_ptr<Optimizer> make_optimizer(
    std::vector<TrainedTensor> parameters, const OptimizerOptions& options);

// `steps`: of the whole run.
LearningRateSchedule make_schedule(
    double learning_rate, const ScheduleOptions& options, std::int64_t steps);

}  // namespace moft
