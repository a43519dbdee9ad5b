// Low-rank adapters: initialisation, row products and the merged update.
#include "moft/conditioning/low_rank.h"

#include <cmath>

#include <ATen/core/grad_mode.h>

#include "moft/core/random.h"

namespace moft {

LowRankAdapters::LowRankAdapters(
    std::int64_t in,
    std::int64_t out,
    std::int64_t objectives,
    std::int64_t rank,
    double scale,
    at::Device device)
    : rank_(rank),
      objectives_(objectives),
      scale_(scale),
      down_(at::zeros({objectives * rank, in}, at::device(device))),
      up_(at::zeros({objectives * rank, out}, at::device(device))) {}

void LowRankAdapters::initialise(std::uint64_t seed, std::uint32_t stream_row) {
  RandomStream stream(seed, Purpose::kInitialise, 0, stream_row);
  const std::int64_t in = down_.size(1);
  const double bound = std::sqrt(1.0 / static_cast<double>(in));
  at::Tensor first = at::empty({rank_, in}, at::kFloat);
  for (std::int64_t i = 0; i < first.numel(); ++i) {
    first.data_ptr<float>()[i] =
        static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
  }
  at::NoGradGuard no_gradient;
  for (std::int64_t i = 0; i < objectives_; ++i)
    down(i).copy_(first);
  up_.zero_();
}

// A batch of the frozen reference alone has no coefficients of copies.
at::Tensor LowRankAdapters::row_scales(
    const RowSteering& steering, at::Device device) const {
  const at::Tensor& scales = steering.copy_coefficients(rank_, device);
  if (scales.size(1) > 0) return scales;
  return at::zeros({1, objectives_ * rank_}, at::device(device));
}

at::Tensor LowRankAdapters::forward(
    const at::Tensor& x,
    const kernels::FrozenWeight& base,
    const RowSteering& steering) const {
  const Packed& weights = packed();
  return kernels::adapted_linear(
      x,
      base,
      {.down = down_,
       .up = up_,
       .coefficients = row_scales(steering, x.device()),
       .scale = scale_,
       .packed_down = weights.down,
       .packed_up = weights.up});
}

const LowRankAdapters::Packed& LowRankAdapters::packed() const {
  const auto down_version = static_cast<std::int64_t>(down_._version());
  const auto up_version = static_cast<std::int64_t>(up_._version());
  if (!packed_ || packed_->down_version != down_version ||
      packed_->up_version != up_version) {
    packed_.emplace(Packed{
        kernels::FrozenWeight(down_.detach()),
        kernels::FrozenWeight(up_.detach().t() * scale_),
        down_version,
        up_version});
  }
  return *packed_;
}

at::Tensor LowRankAdapters::delta(const Coefficients& coefficients) const {
  at::NoGradGuard no_gradient;
  const auto options = at::device(down_.device()).dtype(at::kDouble);
  at::Tensor sum = at::zeros({up_.size(1), down_.size(1)}, options);
  for (std::int64_t i = 0; i < objectives_; ++i) {
    const double c = coefficients.copy(static_cast<std::size_t>(i));
    if (c == 0.0) continue;
    sum.addmm_(
        up(i).to(at::kDouble).t(), down(i).to(at::kDouble), 1, c * scale_);
  }
  return sum;
}

at::Tensor LowRankAdapters::down(std::int64_t i) const {
  return down_.detach().narrow(0, i * rank_, rank_);
}

at::Tensor LowRankAdapters::up(std::int64_t i) const {
  return up_.detach().narrow(0, i * rank_, rank_);
}

}  // namespace moft
