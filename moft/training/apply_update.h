// The end of every training step: from the gradient that a conditioning holds
// to new parameters.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "moft/algorithms/optimizer.h"
#include "moft/conditioning/conditioning.h"
#include "moft/training/trainer.h"
#include "moft/training/update_options.h"

namespace moft {

// The optimizer of everything that `conditioning` trains.
std::unique_ptr<Optimizer> make_optimizer(
    const Conditioning& conditioning,
    const OptimizerOptions& options,
    const Ranks& ranks = {});

// The learning rate at a step, which counts from 0.
double learning_rate_at(const UpdateOptions& options, std::int64_t step);

// Clips the gradient's norm to `clip` (none: not clipped) and takes one step
// of the optimizer; without a rate the parameters stay. Returns the norm before
// clipping. The gradient stays with the conditioning. WorldError for a
// gradient that is not finite.
double apply_update(
    Optimizer& optimizer,
    Conditioning& conditioning,
    std::optional<double> clip,
    std::optional<double> rate);

// Puts the masters of a state, whole or in the shards of however many ranks,
// into `conditioning`. CallerError when they are not the parameters that it
// trains.
void restore_masters(const NamedTensors& masters, Conditioning& conditioning);

}  // namespace moft
