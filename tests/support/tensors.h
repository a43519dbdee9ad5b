// Random tensors from named streams, and how tests compare tensors.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include "moft/core/random.h"

namespace moft::test {

// Standard normal times `deviation`; `row` names the stream.
inline at::Tensor normal_tensor(
    const std::vector<std::int64_t>& shape,
    std::uint32_t row,
    double deviation = 1.0) {
  RandomStream stream(17, Purpose::kTest, 3, row);
  at::Tensor result = at::empty(shape, at::kFloat);
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    result.data_ptr<float>()[i] =
        static_cast<float>(deviation * stream.normal());
  }
  return result;
}

// The sign of zero and the kind of NaN count.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) {
    return false;
  }
  const at::Tensor x = a.detach().contiguous();
  const at::Tensor y = b.detach().contiguous();
  return std::memcmp(
             x.const_data_ptr(),
             y.const_data_ptr(),
             static_cast<std::size_t>(x.nbytes())) == 0;
}

inline double largest(const at::Tensor& x) {
  return x.detach().abs().max().item<double>();
}

// Largest difference, relative to the largest value.
inline double distance(const at::Tensor& x, const at::Tensor& expected) {
  const at::Tensor wanted = expected.detach().to(at::kDouble);
  return largest(x.detach().to(at::kDouble) - wanted) / largest(wanted);
}

}  // namespace moft::test
