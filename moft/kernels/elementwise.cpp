#include "moft/kernels/elementwise.h"

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

at::Tensor rms_norm_aten(
    const at::Tensor& x, const at::Tensor& gain, double eps) {
  const auto wide = x.to(at::kFloat);
  const auto scale = (wide * wide).mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * scale).to(x.scalar_type()) * gain.to(x.scalar_type());
}

void rotary_aten(
    at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  const auto half = x.size(-1) / 2;
  const auto cosine = cosines.index_select(0, positions).unsqueeze(1);
  const auto sine = sines.index_select(0, positions).unsqueeze(1);
  const auto a = x.narrow(-1, 0, half).to(at::kFloat);
  const auto b = x.narrow(-1, half, half).to(at::kFloat);
  const auto rotated =
      at::cat({a * cosine - b * sine, b * cosine + a * sine}, -1);
  x.copy_(rotated);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps) {
  at::NoGradGuard no_grad;
  return rms_norm_aten(x, gain, eps);
}

at::Tensor add_rms_norm_(
    at::Tensor& residual,
    const at::Tensor& delta,
    const at::Tensor& gain,
    double eps) {
  at::NoGradGuard no_grad;
  residual.add_(delta);
  return rms_norm_aten(residual, gain, eps);
}

void rotary_(
    at::Tensor x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  at::NoGradGuard no_grad;
  rotary_aten(x, positions, cosines, sines);
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  at::NoGradGuard no_grad;
  return at::silu(gate) * up;
}

}  // namespace moft::kernels
