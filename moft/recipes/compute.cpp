// Chooses device, threads and precision for this process.
#include "moft/recipes/compute.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/memory.h"

namespace moft {

std::string Compute::describe() const {
  return fmt::format(
      "{}, {}, {} thread{}",
      load.device.str(),
      enum_name(precision),
      threads,
      threads == 1 ? "" : "s");
}

Compute use_compute(const ComputeOptions& options) {
  keep_freed_memory();
  Compute compute;
  const bool cuda = at::hasCUDA();
  if (options.device == DeviceChoice::kCuda && !cuda) {
    throw_world_error(
        "device is cuda, but there is no CUDA device that this libtorch can "
        "use; give device: cpu or auto");
  }
  if (cuda && options.device != DeviceChoice::kCpu) {
    compute.load.device = at::Device(at::kCUDA, 0);
  }
  compute.precision = options.precision;
  if (options.precision == Precision::kBf16)
    compute.load.storage = kernels::Storage::kBFloat16;
  if (options.threads) at::set_num_threads(static_cast<int>(*options.threads));
  compute.threads = at::get_num_threads();
  return compute;
}

}  // namespace moft
