// From the recipe's or the flags' device, precision and threads to what the
// library needs: used by every command that runs a model.
#pragma once

#include <cstdint>
#include <string>

#include "moft/core/compute_options.h"
#include "moft/distributed/launch.h"
#include "moft/models/load.h"

namespace moft {

struct Compute {
  LoadOptions load;
  std::int64_t threads = 1;  // on the CPU
  Precision precision = Precision::kFp32;

  // "cpu, bf16, 2 threads"
  std::string describe() const;
};

// Chooses the device, of several ranks on one machine a CUDA device for each
// (device_of() in launch.h), sets the number of threads of this process and how
// it holds memory. With bf16, weights are packed as bfloat16
// (docs/decisions/bf16.md).
// WorldError when CUDA is asked for and there is none; CallerError of
// device_of().
Compute use_compute(const ComputeOptions& options, const Launch& launch = {});

}  // namespace moft
