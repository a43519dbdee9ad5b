// Chooses device, threads and precision for this process.
#include "moft/recipes/compute.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/memory.h"

namespace moft {
namespace {

// The current device too, which libtorch takes for what names none.
at::Device use_cuda(const Launch& launch) {
  const int devices = at::detail::getCUDAHooks().getNumGPUs();
  const at::Device device(
      at::kCUDA, static_cast<at::DeviceIndex>(device_of(launch, devices)));
  c10::impl::getDeviceGuardImpl(at::kCUDA)->setDevice(device);
  return device;
}

}  // namespace

std::string Compute::describe() const {
  return fmt::format(
      "{}, {}, {} thread{}",
      load.device.str(),
      enum_name(precision),
      threads,
      threads == 1 ? "" : "s");
}

Compute use_compute(const ComputeOptions& options, const Launch& launch) {
  keep_freed_memory();
  Compute compute;
  const bool cuda = at::hasCUDA();
  if (options.device == DeviceChoice::kCuda && !cuda) {
    throw_world_error(
        "device is cuda, but there is no CUDA device that this libtorch can "
        "use; give device: cpu or auto");
  }
  if (cuda && options.device != DeviceChoice::kCpu)
    compute.load.device = use_cuda(launch);
  compute.precision = options.precision;
  if (options.precision == Precision::kBf16)
    compute.load.storage = kernels::Storage::kBFloat16;
  if (options.threads) at::set_num_threads(static_cast<int>(*options.threads));
  compute.threads = at::get_num_threads();
  return compute;
}

}  // namespace moft
