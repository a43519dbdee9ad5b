// The checks that optimizers share. `who` opens the messages ("adamw").
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "moft/algorithms/gradient.h"

namespace moft {

// CallerError unless names differ and all masters are float32.
void check_trained(
    std::string_view who, const std::vector<TrainedTensor>& parameters);

// CallerError unless there is one gradient of the right shape for every
// parameter and the numbers are finite.
void check_step(
    std::string_view who,
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients,
    double learning_rate,
    double gradient_factor);

// The state tensor of that name; CallerError unless it is there and fits.
const at::Tensor& stored_state(
    const std::map<std::string, at::Tensor>& tensors,
    const std::string& name,
    at::IntArrayRef shape,
    at::ScalarType type);

// "<parameter>.steps", at least 0.
std::int64_t stored_steps(
    const std::map<std::string, at::Tensor>& tensors,
    const std::string& parameter);

// CallerError unless the number of tensors is as expected.
void check_state_count(
    const std::map<std::string, at::Tensor>& tensors, std::size_t expected);

}  // namespace moft
