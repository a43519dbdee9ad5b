// Devices that a plan may be made for without having one: what their makers
// publish, and the share of it that a step is assumed to reach.
//
// Nothing here is measured.
//
// Sources: NVIDIA's data sheets of A100 (June 2021), H100 and H200 (2024), L4
// (2023), and the Ada architecture's white paper (RTX 4090). Operations per
// second are those without sparsity; links are in one direction, of SXM modules
// where there are such. The network is that of NVIDIA's DGX A100 and DGX H100;
// 100 Gbit/s, and 8 devices of a machine, are assumed for L4 and RTX 4090.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "moft/training/step_work.h"

namespace moft {

struct PlanDevice {
  const char* name;
  double memory;             // bytes
  double bandwidth;          // of memory, bytes/s
  double bf16;               // operations/s
  double fp32;               // operations/s
  double link;               // to the machine's other devices, bytes/s
  double network;            // to other machines, bytes/s for each device
  std::int64_t per_machine;  // devices that the link joins
};

std::span<const PlanDevice> plan_devices();
std::vector<std::string> plan_device_names();
// CallerError that lists the names.
const PlanDevice& find_plan_device(const std::string& name);

// The share of a figure that a step is assumed to reach.
inline constexpr double kReachedOperations = 0.4;
inline constexpr double kReachedBandwidth = 0.7;
inline constexpr double kReachedLink = 0.7;
// What starting the operations of a layer takes, whatever their size.
inline constexpr double kLayerSeconds = 75e-6;

// Parameters that a token multiplies with, in a pass of the model.
struct TokenParameters {
  double prompt = 0.0;
  double fresh = 0.0;
};
TokenParameters token_parameters(const ModelShape& shape);

// Two operations for each parameter and token, forwards; twice as many
// backwards, and as many again for the gradients of weights. A decoding step
// reads the weights of every source of its products and the keys and values of
// its rows; copies are mixed once for the rollout and once for the gradient.
// Rewards take no time here.
StepRates assumed_rates(
    const PlanDevice& device,
    const MemoryQuestion& question,
    MeanLengths lengths);

}  // namespace moft
