// Inputs and comparisons shared by the tests of the kernels.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "moft/core/random.h"

namespace moft::kernels {

// Numbers uniform in [-1, 1), the same on every machine.
inline at::Tensor numbers(at::IntArrayRef shape, std::uint32_t key) {
  auto t = at::empty(shape, at::kFloat);
  RandomStream stream(11, Purpose::kTest, key, 0);
  auto* p = t.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    p[i] = static_cast<float>(stream.next_u64() >> 40) / 8388608.0f - 1.0f;
  }
  return t;
}

// The largest distance between two tensors, in double.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) return 0;
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// The thread count while it lives.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) {
    at::set_num_threads(count);
  }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace moft::kernels
