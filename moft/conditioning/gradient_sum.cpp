// Sums of gradients in a fixed order.
#include "moft/conditioning/gradient_sum.h"

#include <algorithm>
#include <array>

#include <ATen/core/grad_mode.h>

#include "moft/kernels/parallel.h"

namespace moft {
namespace {

// Elements whose products stay in the nearest cache.
constexpr std::int64_t kBlock = 2048;

// A call of its own, which no compiler fuses with the sum.
[[gnu::noinline]] void multiply(
    const float* x, float factor, std::int64_t count, float* product) {
  for (std::int64_t i = 0; i < count; ++i)
    product[i] = x[i] * factor;
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat &&
         tensor.is_contiguous();
}

// sum += factor * x, in one pass over memory where both are plain.
void add_product(at::Tensor& sum, const at::Tensor& x, double factor) {
  if (!is_plain(sum) || !is_plain(x)) {
    sum.add_(x * factor);
    return;
  }
  float* const to = sum.mutable_data_ptr<float>();
  const float* const from = x.const_data_ptr<float>();
  const auto rounded = static_cast<float>(factor);
  kernels::parallel_ranges(
      sum.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
        std::array<float, kBlock> terms;
        for (std::int64_t first = begin; first < end; first += kBlock) {
          const std::int64_t count = std::min(kBlock, end - first);
          multiply(from + first, rounded, count, terms.data());
          for (std::int64_t i = 0; i < count; ++i)
            to[first + i] += terms[static_cast<std::size_t>(i)];
        }
      });
}

void add_to(at::Tensor& sum, const at::Tensor& term) {
  const at::NoGradGuard no_gradient;
  if (sum.defined()) {
    sum.add_(term);
  } else {
    sum = term;
  }
}

at::Tensor product(const at::Tensor& tensor, double factor) {
  const at::NoGradGuard no_gradient;
  return tensor.defined() ? tensor * factor : tensor;
}

}  // namespace

void GradientSum::add(const at::Tensor& gradient) {
  add_to(slice_, gradient);
}

void GradientSum::add(const at::Tensor& gradient, double factor) {
  const at::NoGradGuard no_gradient;
  if (slice_.defined()) {
    add_product(slice_, gradient, factor);
  } else {
    slice_ = gradient * factor;
  }
}

void GradientSum::end_slice() {
  if (!slice_.defined()) return;
  add_to(ended_, slice_);
  slice_ = at::Tensor();
}

at::Tensor GradientSum::value() const {
  if (!ended_.defined()) return slice_;
  if (!slice_.defined()) return ended_;
  const at::NoGradGuard no_gradient;
  return ended_ + slice_;
}

GradientSum GradientSum::times(double factor) const {
  GradientSum result;
  result.slice_ = product(slice_, factor);
  result.ended_ = product(ended_, factor);
  return result;
}

}  // namespace moft
