// The optimizer and the learning rate that a recipe asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "moft/algorithms/optimizer.h"
#include "moft/algorithms/schedule.h"
#include "moft/distributed/group.h"
#include "moft/training/training_options.h"

namespace moft {

std::unique_ptr<Optimizer> make_optimizer(
    std::vector<TrainedTensor> parameters,
    const OptimizerOptions& options,
    const Ranks& ranks = {});

// A group as an optimizer sees it; none: a process alone. The group outlives
// the optimizer.
Ranks optimizer_ranks(Group* group);

// `steps`: of the whole run.
LearningRateSchedule make_schedule(
    double learning_rate, const ScheduleOptions& options, std::int64_t steps);

}  // namespace moft
