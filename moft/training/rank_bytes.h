// Tensors as the bytes that ranks send one another.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "moft/distributed/bytes.h"

namespace moft {

// `values` are of type double. Their shape is written too, their device is not.
inline void write_tensor(BytesWriter& writer, const at::Tensor& values) {
  writer.list(values.sizes().vec());
  const at::Tensor plain = values.to(at::kCPU).contiguous();
  writer.list(std::span(
      plain.const_data_ptr<double>(), static_cast<std::size_t>(plain.numel())));
}

// On the CPU.
inline at::Tensor read_tensor(BytesReader& reader) {
  const auto shape = reader.list<std::vector<std::int64_t>>();
  const auto numbers = reader.list<std::vector<double>>();
  return at::tensor(numbers, at::kDouble).view(shape);
}

}  // namespace moft
