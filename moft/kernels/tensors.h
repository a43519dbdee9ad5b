// Plain vectors as tensors and back.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace moft::kernels {

// [n], int64.
inline at::Tensor long_tensor(
    const std::vector<std::int64_t>& values, at::Device device = at::kCPU) {
  return at::tensor(values, at::kLong).to(device);
}

// [n], double.
inline at::Tensor double_tensor(
    const std::vector<double>& values, at::Device device = at::kCPU) {
  return at::tensor(values, at::kDouble).to(device);
}

// All elements in row-major order, without gradient.
inline std::vector<double> to_doubles(const at::Tensor& values) {
  const at::Tensor flat =
      values.detach().to(at::kCPU, at::kDouble).contiguous();
  const auto* first = flat.const_data_ptr<double>();
  return {first, first + flat.numel()};
}

inline std::vector<float> to_floats(const at::Tensor& values) {
  const at::Tensor flat = values.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto* first = flat.const_data_ptr<float>();
  return {first, first + flat.numel()};
}

}  // namespace moft::kernels
